/** The demo's receiver: what a customer would write, with the library that a customer would take. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { Event } from '#contracts/events/catalogue.ts'
import { demoReceiverHost, demoReceiverUrl } from '#server/demo-receiver-file.ts'

export interface DemoRequest {
  readonly event: Event
  readonly verified: boolean
  /** From the event on the PBX to the arrival here. */
  readonly delayMs: number
}

export interface DemoReceiver extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly expectSecret: (secret: string) => void
  /** Requests as they arrive, until the signal aborts; each is given once. */
  readonly requests: (signal: AbortSignal) => AsyncIterable<DemoRequest>
  readonly totals: () => {
    readonly count: number
    readonly wrong: number
    readonly delays: readonly number[]
  }
}

export async function startDemoReceiver(): Promise<DemoReceiver> {
  let webhook: Webhook | null = null
  const arrived: DemoRequest[] = []
  const waiting: DemoRequest[] = []
  let wake: (() => void) | null = null

  const server = createServer(async (request, response) => {
    const at = Date.now()
    const body = Buffer.concat(await Array.fromAsync(request)).toString()
    response.writeHead(204).end()
    const event = JSON.parse(body) as Event
    const verified = webhook !== null && isVerified(webhook, body, request.headers)
    const seen = { event, verified, delayMs: at - Date.parse(event.occurred_at) }
    arrived.push(seen)
    waiting.push(seen)
    wake?.()
  })
  server.listen(0, demoReceiverHost)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  async function* requests(signal: AbortSignal): AsyncIterable<DemoRequest> {
    while (!signal.aborted) {
      const next = waiting.shift()
      if (next !== undefined) {
        yield next
        continue
      }
      await new Promise<void>((resolve) => {
        wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }
  return {
    url: demoReceiverUrl(port),
    port,
    expectSecret: (secret) => {
      webhook = new Webhook(secret)
    },
    requests,
    totals: () => ({
      count: arrived.length,
      wrong: arrived.filter(({ verified }) => !verified).length,
      delays: arrived.map(({ delayMs }) => delayMs),
    }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function isVerified(webhook: Webhook, body: string, headers: IncomingHttpHeaders): boolean {
  try {
    webhook.verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}
