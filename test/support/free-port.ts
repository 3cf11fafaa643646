/**
 * Ports of 127.0.0.1 for programs that cannot be told to take any, and that come and go: a phone, a PBX that is
 * killed and started again.
 *
 * The system would hand a port of its own range (32768 and up) to the next one who asks, be it for one outgoing
 * connection, and Asterisk takes those of RTP from 20000 up. So these are below both, in blocks of which each process
 * has its own: it listens on the first TCP port of the block for as long as it lives.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

// Above 10080, which no HTTP client sends to (Fetch standard).
const first = 10_100
const end = 20_000
const blockSize = 100

let block: { readonly next: (count: number) => number | null } | null = null

/** A TCP port that was free a moment ago, and that no other test is given. */
export async function freeTcpPort(): Promise<number> {
  for (;;) {
    const port = await nextPort()
    const server = await listen(port)
    if (server === null) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Likewise for UDP. */
export async function freeUdpPort(): Promise<number> {
  for (;;) {
    const port = await nextPort()
    if (await isFreeUdp(port)) return port
  }
}

async function isFreeUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1')
  const free = await once(socket, 'listening').then(
    () => true,
    () => false,
  )
  socket.close()
  await once(socket, 'close')
  return free
}

/** A UDP port whose two neighbours above nobody is given either: a phone takes one for sound and the next but one for pictures. */
export async function freeMediaPort(): Promise<number> {
  for (;;) {
    const port = await nextPort(3)
    if (await isFreeUdp(port)) return port
  }
}

/** The first of so many in a row. */
async function nextPort(count = 1): Promise<number> {
  for (;;) {
    const port = block?.next(count)
    if (typeof port === 'number') return port
    block = await claimBlock()
  }
}

async function claimBlock() {
  for (let start = first; start < end; start += blockSize) {
    const claim = await listen(start)
    if (claim === null) continue
    claim.unref()
    let given = 0
    return {
      next: (count: number) => {
        const port = start + given + 1
        given += count
        return given < blockSize ? port : null
      },
    }
  }
  throw new Error(`Every block of ports from ${first} to ${end} is in use.`)
}

async function listen(port: number): Promise<Server | null> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true })
  return await once(server, 'listening').then(
    () => server,
    () => null,
  )
}
