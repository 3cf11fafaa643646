/**
 * The receiver of all benches, in a process of its own: notes what came, and verifies a sample of it.
 *
 * The path decides: `/ok` answers 200, `/hang` takes requests and never answers, `/fail` answers 500.
 */
import type { Socket } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { serve } from '#bench/child.ts'
import { nowMs } from '#bench/clock.ts'
import { listen, type Received, type ServerKind } from '#bench/receiver-servers.ts'

/** What came since `begin`. */
export interface Arrivals {
  readonly requests: number
  /** Different `webhook-id`s; 0 when ids were not asked for. */
  readonly events: number
  /** Requests on `/ok` that repeated an id. */
  readonly repeated: number
  readonly verified: number
  /** Requests that were no good: a signature that does not verify, an unknown path, a body of another event. */
  readonly wrong: readonly string[]
  /** How many connections requests came on. */
  readonly connections: number
}

export interface Expectation {
  /** Note the id of each request and when it came, and verify a sample. */
  readonly ids: boolean
  readonly secret: string | null
}

/** One in this many is verified with the official library; each costs about as much as the request itself. */
const verifyOneIn = 64

interface Notes {
  requests: number
  repeated: number
  verified: number
  readonly wrong: string[]
  readonly sockets: Set<Socket>
  /** First arrival by id. */
  readonly arrived: Map<string, number>
}

const newNotes = (): Notes => ({
  requests: 0,
  repeated: 0,
  verified: 0,
  wrong: [],
  sockets: new Set(),
  arrived: new Map(),
})

const answers: Readonly<Record<string, 200 | 500 | null>> = {
  '/ok': 200,
  '/fail': 500,
  '/hang': null,
}

let expectation: Expectation = { ids: false, secret: null }
let webhook: Webhook | null = null
let notes = newNotes()
/** Ids that somebody waits for. */
let awaited: { readonly left: Set<string>; readonly done: () => void } | null = null

function noteWrong(what: string): void {
  if (notes.wrong.length < 20) notes.wrong.push(what)
}

function verify(verifier: Webhook, { header, body }: Received): void {
  try {
    verifier.verify(body, {
      'webhook-id': header('webhook-id') ?? '',
      'webhook-timestamp': header('webhook-timestamp') ?? '',
      'webhook-signature': header('webhook-signature') ?? '',
    })
    notes.verified += 1
  } catch (error) {
    noteWrong(`a signature: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function noteId({ header, body, path }: Received): void {
  const id = header('webhook-id')
  if (id === undefined) {
    noteWrong('a request without webhook-id')
    return
  }
  // The id and the body must be of one event; to parse all would cost more than the request.
  if (body.indexOf(id) < 0) noteWrong(`the body of ${id} is of another event`)
  if (notes.arrived.has(id)) {
    if (path === '/ok') notes.repeated += 1
    return
  }
  notes.arrived.set(id, nowMs())
  if (awaited?.left.delete(id) && awaited.left.size === 0) awaited.done()
}

function take(request: Received): 200 | 500 | null {
  notes.requests += 1
  notes.sockets.add(request.socket)
  if (expectation.ids) {
    noteId(request)
    if (webhook !== null && notes.requests % verifyOneIn === 1) verify(webhook, request)
  }
  const answer = answers[request.path]
  if (answer === undefined) noteWrong(`the path ${request.path}`)
  return answer ?? null
}

const handlers = {
  /** As many origins as wanted, a port each; gives their addresses. */
  async listen({ count, kind }: { count: number; kind: ServerKind }): Promise<readonly string[]> {
    return await Promise.all(Array.from({ length: count }, () => listen(kind, take)))
  },
  begin(next: Expectation): void {
    expectation = next
    webhook = next.secret === null ? null : new Webhook(next.secret)
    notes = newNotes()
    awaited = null
  },
  /** Waits until all these have come, or the time is over. */
  async awaitIds({ ids, timeoutMs }: { ids: readonly string[]; timeoutMs: number }) {
    const left = new Set(ids.filter((id) => !notes.arrived.has(id)))
    if (left.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      awaited = { left, done: resolve }
      const timer = setTimeout(resolve, timeoutMs)
      await promise
      clearTimeout(timer)
      awaited = null
    }
    return { missing: left.size }
  },
  arrivals(): Arrivals {
    const { requests, arrived, repeated, verified, wrong, sockets } = notes
    return { requests, events: arrived.size, repeated, verified, wrong, connections: sockets.size }
  },
  /** By id, when it came first: milliseconds of the clock that all processes of a machine share. */
  times: (): ReadonlyMap<string, number> => notes.arrived,
}

export type ReceiverHandlers = typeof handlers
serve(handlers)
