import express from 'express'
// In a project of its own: npm install offhook-receiver, and import from 'offhook-receiver'.
import { memoryStore, once, VerificationError, verify } from '../../../receiver/index.js'

const { SECRET, PORT = '9000' } = process.env
const store = memoryStore()
const app = express()

// The bytes as they came: express.json() would keep a parsed copy, which no signature fits.
app.post('/', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
  try {
    const event = await verify(request.body, request.headers, SECRET)
    await once(store, event.id, () => console.log(`${event.type} ${event.id}`))
    response.sendStatus(204)
  } catch (error) {
    response.sendStatus(error instanceof VerificationError ? 401 : 500)
  }
})

app.listen(Number(PORT), '127.0.0.1', () => console.log(`listens on ${PORT}`))
