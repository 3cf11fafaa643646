import Fastify from 'fastify'
// In a project of its own: install offhook-receiver, and import from 'offhook-receiver'.
import { memoryStore, once, VerificationError, verify } from '../../../receiver/index.js'

const { SECRET, PORT = '9000' } = process.env
if (!SECRET?.startsWith('whsec_')) stop('SECRET must be the signing secret of the webhook, whsec_…')

const store = memoryStore()
const app = Fastify({ bodyLimit: 1024 * 1024 })

// The bytes as they came: parsed JSON, written again, fits no signature.
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

app.post('/', async (request, reply) => {
  const event = await verify(request.body, request.headers, SECRET)
  // The event's id; in the body it is only where that is the native payload.
  const id = request.headers['webhook-id']
  await once(store, id, () => console.log(`${event?.type} ${id}`))
  return reply.code(204).send()
})

app.setErrorHandler((error, _request, reply) => {
  console.error(error.message)
  // Fastify's own refusals (a body that is too large) know their status.
  const status = error instanceof VerificationError ? 401 : (error.statusCode ?? 500)
  return reply.code(status).send()
})

app
  .listen({ host: '127.0.0.1', port: Number(PORT) })
  .then(() => console.log(`listens on ${PORT}`))
  .catch((error) => stop(error.message))

function stop(why) {
  console.error(why)
  process.exit(1)
}
