/**
 * The receivers of a machine that will vanish: `node far-receiver.ts`. Says "ready", then a line for each request: which
 * of them, and the webhook-id. Ends with its input.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'

/** A port each: connections to one origin are shared. */
export const farPorts = { silent: 8001, half: 8002, well: 8003 } as const

export type FarReceiver = keyof typeof farPorts

const answers: Readonly<Record<FarReceiver, (response: ServerResponse) => void>> = {
  silent: () => undefined,
  half: (response) => void response.writeHead(200, { 'content-length': 1_000 }).write('half of it'),
  well: (response) => void response.writeHead(204).end(),
}

async function listen(name: FarReceiver): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      process.stdout.write(`${name} ${request.headers['webhook-id']}\n`)
      answers[name](response)
    })
  })
  // Of an idle connection the other side decides here.
  server.keepAliveTimeout = 600_000
  server.listen(farPorts[name], '0.0.0.0')
  await once(server, 'listening')
}

if (import.meta.main) {
  for (const name of Object.keys(farPorts)) await listen(name as FarReceiver)
  process.stdout.write('ready\n')
  process.stdin.on('end', () => process.exit()).resume()
}
