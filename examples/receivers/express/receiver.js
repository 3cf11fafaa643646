import express from 'express'
// In a project of its own: install offhook-receiver, and import from 'offhook-receiver'.
import { memoryStore, once, VerificationError, verify } from '../../../receiver/index.js'

const { SECRET, PORT = '9000' } = process.env
if (!SECRET?.startsWith('whsec_')) stop('SECRET must be the signing secret of the webhook, whsec_…')

const store = memoryStore()
const app = express()

// The bytes as they came: express.json() would keep a parsed copy, which no signature fits.
app.post('/', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
  try {
    const event = await verify(request.body, request.headers, SECRET)
    await once(store, event.id, () => console.log(`${event.type} ${event.id}`))
    response.sendStatus(204)
  } catch (error) {
    console.error(error.message)
    response.sendStatus(error instanceof VerificationError ? 401 : 500)
  }
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
