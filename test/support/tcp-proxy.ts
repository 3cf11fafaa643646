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
  /** What the server says does not arrive any more, and nobody is told: a line that is half open. Until it is cut. */
  readonly swallowAnswers: () => void
}

export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const port = await freeTcpPort()
  const sockets = new Set<Socket>()
  let server: Server | null = null
  let swallowing = false

  const join = (client: Socket) => {
    const upstream = connect(serverPort, '127.0.0.1')
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('data', (bytes) => {
        if (swallowing && one === upstream) return
        if (!other.write(bytes)) one.pause()
      })
      other.on('drain', () => one.resume())
      one.on('end', () => other.end())
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
    swallowing = false
    await closed
  }
  const restore = async () => {
    server = createServer(join).listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await restore()
  const swallowAnswers = () => {
    swallowing = true
  }
  return { port, cut, restore, swallowAnswers, [Symbol.asyncDispose]: cut }
}
