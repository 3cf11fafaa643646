import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freeTcpPort } from '#test/support/free-port.ts'

/** A line between a client and a server of 127.0.0.1 that can be cut. */
export interface TcpProxy extends AsyncDisposable {
  /** Where clients connect; the same after a restore. */
  readonly port: number
  /** Ends every connection and refuses new ones. */
  readonly cut: () => Promise<void>
  readonly restore: () => Promise<void>
}

export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const port = await freeTcpPort()
  const sockets = new Set<Socket>()
  let server: Server | null = null

  const join = (client: Socket) => {
    const upstream = connect(serverPort, '127.0.0.1')
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      // However one side ends, the other has nobody to talk to.
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  }
  const cut = async () => {
    if (server === null) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    server = null
    await closed
  }
  const restore = async () => {
    server = createServer(join).listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await restore()
  return { port, cut, restore, [Symbol.asyncDispose]: cut }
}
