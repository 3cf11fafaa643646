/** A billing feed: every call that ended, once, in a table. */
import { createServer } from 'node:http'
// In a project of its own: install offhook-receiver, and import { verify } from 'offhook-receiver'.
import { VerificationError, verify } from '../../receiver/index.js'
import { openCalls } from './calls.js'

const { SECRET, PORT = '9200', DATABASE = 'calls.db' } = process.env
if (!SECRET?.startsWith('whsec_')) stop('SECRET must be the signing secret of the webhook, whsec_…')

const largestBody = 1024 * 1024
const calls = openCalls(DATABASE)

async function receive(request, response) {
  // More than any event has, or (NaN) of unknown length: it is not read.
  if (!(Number(request.headers['content-length']) <= largestBody)) {
    return response.writeHead(413).end()
  }
  const body = Buffer.concat(await Array.fromAsync(request))
  const event = await verify(body, request.headers, SECRET)
  // A test event is signed as any other, and nobody has called.
  if (request.headers['webhook-test'] === undefined && event.type === 'call.ended') {
    const isNew = calls.add(event)
    console.log(`${isNew ? 'billed' : 'had it'} ${event.call.uuid} ${event.call.bill_duration} s`)
  }
  response.writeHead(204).end()
}

const server = createServer((request, response) => {
  receive(request, response).catch((error) => {
    // 401: not from Offhook. 500: a fault of ours, and the event comes again.
    const status = error instanceof VerificationError ? 401 : 500
    console.error(error.message)
    response.writeHead(status).end()
  })
})
server.on('error', (error) => stop(error.message))
server.listen(Number(PORT), '127.0.0.1', () => console.log(`billing listens on ${PORT}`))

process.once('SIGTERM', () => server.close(() => calls.close()))

function stop(why) {
  console.error(why)
  process.exit(1)
}
