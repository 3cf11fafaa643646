/** A real HTTP proxy that tunnels, on 127.0.0.1. Names mean what the test says. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Issued } from '#test/support/authority.ts'

export interface ConnectProxyOptions {
  /** The answer instead of a tunnel; null as status: none at all. */
  readonly refuse?: { readonly status: number | null; readonly headers?: Record<string, string> }
  /** TLS to the proxy. */
  readonly tls?: Issued
}

export interface ConnectProxy extends AsyncDisposable {
  readonly url: string
  /** What was asked for: `host:port`, and the credentials that came with it. */
  readonly asked: readonly { readonly target: string; readonly authorization: string | undefined }[]
}

/** Every name leads to 127.0.0.1. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const asked: { target: string; authorization: string | undefined }[] = []
  const sockets = new Set<Socket>()
  const { refuse, tls } = options
  const server =
    tls === undefined
      ? createServer()
      : createTlsServer({ key: tls.privateKey, cert: tls.certificate })
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const target = request.url ?? ''
    asked.push({ target, authorization: request.headers['proxy-authorization'] })
    socket.on('error', () => {})
    if (refuse?.status === null) return
    if (refuse !== undefined) {
      const headers = Object.entries(refuse.headers ?? {}).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      )
      socket.end(`HTTP/1.1 ${refuse.status} No\r\n${headers.join('')}content-length: 0\r\n\r\n`)
      return
    }
    const onward = connect(Number(target.slice(target.lastIndexOf(':') + 1)), '127.0.0.1')
    onward.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
    onward.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
