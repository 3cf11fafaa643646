/**
 * The yardstick: a POST loop on undici, as good as we can write it. It stores nothing, decides nothing and is told
 * nothing by the answers: what a sender costs that does nothing but send.
 *
 * One client per connection, so that no pool looks for a free one; one handler per connection, used again for every
 * request; headers and bodies made and signed before the clock starts.
 *
 * Beside it the everyday loop, as undici's README shows it and as most would write it: to see a figure against both.
 */
import { Agent, Client, type Dispatcher, request } from 'undici'
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

const connection = {
  pipelining: 1,
  keepAliveTimeout: 600_000,
  headersTimeout: 0,
  bodyTimeout: 0,
} as const

interface Prepared {
  readonly path: string
  readonly method: 'POST'
  readonly headers: string[]
  readonly body: Buffer
}

let urls: readonly string[] = []
let clients: readonly Client[] = []
let prepared: readonly Prepared[] = []

function loop(client: Client, first: number, more: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let at = first
  const send = () => {
    at = at + 1 === prepared.length ? 0 : at + 1
    client.dispatch(prepared[at] as Prepared, handler)
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

async function everydayLoop(agent: Agent, first: number, more: () => boolean): Promise<void> {
  const url = urls[first % urls.length] as string
  for (let at = first; at === first || more(); at += 1) {
    const { headers, body } = prepared[at % prepared.length] as Prepared
    const answer = await request(url, { dispatcher: agent, method: 'POST', headers, body })
    await answer.body.dump()
    if (answer.statusCode !== 200) throw new Error(`The receiver answered ${answer.statusCode}.`)
  }
}

async function timed(
  count: number,
  loops: (more: () => boolean) => readonly Promise<void>[],
): Promise<YardstickRun> {
  let begun = clients.length
  const more = () => {
    if (begun >= count) return false
    begun += 1
    return true
  }
  const cpu = process.cpuUsage()
  const began = performance.now()
  await Promise.all(loops(more))
  const seconds = (performance.now() - began) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return { count: begun, seconds, cpuMicros: (user + system) / begun }
}

const handlers = {
  setUp({ urls: to, connections, requests }: YardstickSetup): void {
    urls = to
    const origins = urls.map((url) => new URL(url))
    clients = Array.from({ length: connections }, (_, i) => {
      const { origin } = origins[i % origins.length] as URL
      return new Client(origin, connection)
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
    return await timed(count, (more) =>
      clients.map((client, i) => loop(client, i % prepared.length, more)),
    )
  },
  /** The same by the everyday loop. */
  async runEveryday(count: number): Promise<YardstickRun> {
    const agent = new Agent({ ...connection, connections: clients.length / urls.length })
    try {
      return await timed(count, (more) => clients.map((_, i) => everydayLoop(agent, i, more)))
    } finally {
      await agent.destroy()
    }
  },
}

export type YardstickHandlers = typeof handlers
serve(handlers)
