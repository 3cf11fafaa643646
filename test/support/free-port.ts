import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Ports given out by this process. The system may name a closed port again at once, and two servers of one test
 * would then want the same one.
 */
const given = new Set<number>()

/** A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot be told to take any. */
export async function freeTcpPort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const port = portOf(server.address())
    server.close()
    await once(server, 'close')
    if (take(port)) return port
  }
}

/** Likewise for UDP. */
export async function freeUdpPort(): Promise<number> {
  for (;;) {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address()
    socket.close()
    await once(socket, 'close')
    if (take(port)) return port
  }
}

function take(port: number): boolean {
  if (given.has(port)) return false
  given.add(port)
  return true
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('No port was bound.')
  return address.port
}
