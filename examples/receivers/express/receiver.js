import express from 'express'
// In a project of its own: install offhook-receiver, and import from 'offhook-receiver'.
import { memoryStore, once, VerificationError, verify } from '../../../receiver/index.js'

const { SECRET, PORT = '9000' } = process.env
if (!SECRET?.startsWith('whsec_')) stop('SECRET must be the signing secret of the webhook, whsec_…')

const store = memoryStore()
const app = express()

// The bytes as they came: express.json() would keep a parsed copy, which no signature fits.
app.post('/', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
  const event = await verify(request.body, request.headers, SECRET)
  // The event's id; in the body it is only where that is the native payload.
  const id = request.headers['webhook-id']
  await once(store, id, () => console.log(`${event?.type} ${id}`))
  response.sendStatus(204)
})

// Four parameters make it the handler of errors. Express's own shows strangers the stack.
app.use((error, _request, response, _next) => {
  console.error(error.message)
  // Express's own refusals (a body that is too large) know their status.
  response.sendStatus(error instanceof VerificationError ? 401 : (error.status ?? 500))
})

// Express calls back whether it listens or not.
app.listen(Number(PORT), '127.0.0.1', (error) => {
  if (error) stop(error.message)
  console.log(`listens on ${PORT}`)
})

function stop(why) {
  console.error(why)
  process.exit(1)
}
