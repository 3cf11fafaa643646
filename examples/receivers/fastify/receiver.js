import Fastify from 'fastify'
// In a project of its own: npm install offhook-receiver, and import from 'offhook-receiver'.
import { memoryStore, once, VerificationError, verify } from '../../../receiver/index.js'

const { SECRET, PORT = '9000' } = process.env
const store = memoryStore()
const app = Fastify({ bodyLimit: 1024 * 1024 })

// The bytes as they came: parsed JSON, written again, fits no signature.
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

app.post('/', async (request, reply) => {
  const event = await verify(request.body, request.headers, SECRET)
  await once(store, event.id, () => console.log(`${event.type} ${event.id}`))
  return reply.code(204).send()
})

app.setErrorHandler((error, _request, reply) =>
  reply.code(error instanceof VerificationError ? 401 : 500).send(),
)

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
console.log(`listens on ${PORT}`)
