/**
 * The yardstick: a POST loop on undici, as good as we can write it. It stores nothing, decides nothing and is told
 * nothing by the answers: what a sender costs that does nothing but send.
 *
 * One client per connection, so that no pool looks for a free one; one handler per connection, used again for every
 * request; headers and bodies made and signed before the clock starts.
 */
import { Client, type Dispatcher } from 'undici'
import { serve } from '#bench/child.ts'

export interface YardstickSetup {
  readonly urls: readonly string[]
  /** Over all origins. */
  readonly connections: number
  /** Taken in turn. */
  readonly requests: readonly { readonly headers: readonly string[]; readonly body: string }[]
}

export interface YardstickRun {
  readonly count: number
  readonly seconds: number
  /** Of this process, per request. */
  readonly cpuMicros: number
}

let clients: readonly Client[] = []
let prepared: readonly Dispatcher.DispatchOptions[] = []

function loop(client: Client, first: number, more: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let at = first
  const send = () => {
    at = at + 1 === prepared.length ? 0 : at + 1
    client.dispatch(prepared[at] as Dispatcher.DispatchOptions, handler)
  }
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart() {},
    onResponseStart(_controller, statusCode) {
      if (statusCode !== 200) reject(new Error(`The receiver answered ${statusCode}.`))
    },
    onResponseData() {},
    onResponseEnd() {
      if (more()) send()
      else resolve()
    },
    onResponseError(_controller, error) {
      reject(error)
    },
  }
  send()
  return promise
}

const handlers = {
  setUp({ urls, connections, requests }: YardstickSetup): void {
    const origins = urls.map((url) => new URL(url))
    clients = Array.from({ length: connections }, (_, i) => {
      const { origin } = origins[i % origins.length] as URL
      return new Client(origin, {
        pipelining: 1,
        keepAliveTimeout: 600_000,
        headersTimeout: 0,
        bodyTimeout: 0,
      })
    })
    const path = origins[0]?.pathname ?? '/'
    prepared = requests.map(({ headers, body }) => ({
      path,
      method: 'POST',
      headers: [...headers],
      body: Buffer.from(body),
    }))
  },
  /** Sends exactly so many. */
  async run(count: number): Promise<YardstickRun> {
    let begun = clients.length
    const more = () => {
      if (begun >= count) return false
      begun += 1
      return true
    }
    const cpu = process.cpuUsage()
    const began = performance.now()
    await Promise.all(clients.map((client, i) => loop(client, i % prepared.length, more)))
    const seconds = (performance.now() - began) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    return { count: begun, seconds, cpuMicros: (user + system) / begun }
  },
}

export type YardstickHandlers = typeof handlers
serve(handlers)
