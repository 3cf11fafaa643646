import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A port of 127.0.0.1, or the path of a Unix socket: those are seen from every network namespace. */
export type Place = number | string

const at = (place: Place) =>
  typeof place === 'number' ? { host: '127.0.0.1', port: place } : { path: place }

/** Passes on what comes to one place to the other, both ways, until it is disposed of. */
export async function startRelay(from: Place, to: Place): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((one) => {
    const other = connect(at(to))
    for (const [socket, opposite] of [
      [one, other],
      [other, one],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => opposite.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        opposite.destroy()
      })
      socket.pipe(opposite)
    }
  })
  server.listen(at(from))
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
