/**
 * The agent: ships the record of the PBX beside it to a server, by the cursor that the server has committed.
 *
 * It keeps nothing. What it has read and not heard to be committed it reads again: after a cut line, a restart of the
 * server, a kill -9 of its own, it asks the server at `connect` and goes on from there. A reply that was lost on its
 * way costs one more `connect`, never a row twice. While the server is away the rows wait in the PBX's own files;
 * nothing piles up here.
 */
import type { ProblemCode } from '#contracts/problem.ts'
import { type AgentClient, AgentClientError } from '#server/agent/agent-client.ts'
import type { PbxLog, PbxRecord, RecordBatch } from '#server/pbx/pbx.ts'
import { createDoorbell, type Doorbell } from '#server/pipeline/doorbell.ts'
import { pause } from '#server/pipeline/pause.ts'

/** A sign of life that often; the server takes three missing ones for the end. */
const signOfLifeMs = 5_000
/** Reading by timer, for when the file system does not tell of a change. */
const pollMs = 1_000
const retryMs = { first: 250, longest: 10_000 }
/** How long the last message of an orderly end may take. */
const leaveMs = 3_000

/** What the agent cannot mend by trying again. */
const final: ReadonlySet<ProblemCode | null> = new Set<ProblemCode>([
  'agent_unauthorized',
  'agent_replaced',
  'invalid_input',
])

export interface AgentDeps {
  /** One for each server, in the order in which they are tried: one of several nodes runs the service. */
  readonly clients: readonly [AgentClient, ...AgentClient[]]
  readonly record: PbxRecord
  readonly log: PbxLog
}

interface Shipping {
  readonly deps: AgentDeps
  readonly client: AgentClient
  readonly doorbell: Doorbell
  readonly session: string
  /** What the server has. */
  committed: string
  /** By `performance.now()`. */
  shippedAt: number
}

/** Runs until the signal aborts. Throws AgentClientError when only a person can mend what is wrong. */
export async function runAgent(deps: AgentDeps, signal: AbortSignal): Promise<void> {
  using parts = new DisposableStack()
  parts.defer(() => deps.record.close())
  const doorbell = createDoorbell()
  deps.record.watch(doorbell.ring, signal)
  const { clients, log } = deps
  let failures = 0
  for (let next = 0; !signal.aborted; next++) {
    const client = clients[next % clients.length] ?? clients[0]
    try {
      const { service, session, cursor } = await client.connect(signal)
      log.info({ service: service.name, server: client.server }, 'agent: connected')
      const shipping = { deps, client, doorbell, session, committed: cursor, shippedAt: 0 }
      await shipFirst(shipping, signal)
      failures = 0
      await shipOn(shipping, signal)
      await leave(shipping)
    } catch (error) {
      if (signal.aborted) return
      if (!isPassing(error)) throw error
      failures += 1
      const wait = pauseAfter(failures, clients.length)
      const facts = { server: client.server, reason: error.message, again_in_ms: wait }
      log.warn(facts, 'agent: not shipped')
      await pause(wait, signal)
    }
  }
}

/** Of the network or the file system: it may be gone at the next try. What only a person can mend is not. */
function isPassing(error: unknown): error is Error {
  if (error instanceof AgentClientError) return !final.has(error.code)
  return error instanceof Error && 'syscall' in error
}

/** None before the next server; after all of them a growing one, not the same for all agents of a server. */
function pauseAfter(failures: number, servers: number): number {
  if (failures % servers !== 0) return 0
  const wait = Math.min(retryMs.longest, retryMs.first * 2 ** (failures / servers - 1))
  return Math.round(wait * (0.75 + Math.random() / 2))
}

/** Tells where reading begins, be it without a row: from then on nothing that is written can be missed. */
async function shipFirst(shipping: Shipping, signal: AbortSignal): Promise<void> {
  const cursor = await shipping.deps.record.resume(shipping.committed)
  const nothing = { rows: [], remarks: [], more: true, liveSince: null }
  if (cursor !== shipping.committed) await ship(shipping, { ...nothing, cursor }, signal)
}

/** Ships what the record has and gets, and signs of life. Throws what the client throws. */
async function shipOn(shipping: Shipping, signal: AbortSignal): Promise<void> {
  const { record } = shipping.deps
  let caughtUp = false
  while (!signal.aborted) {
    const batch = await record.read(shipping.committed)
    const grown = batch.cursor !== shipping.committed
    const silent = performance.now() - shipping.shippedAt >= signOfLifeMs
    if (grown || silent || !caughtUp) {
      await ship(shipping, batch, signal)
      caughtUp ||= !batch.more
    }
    if (!grown) await shipping.doorbell.wait(pollMs, signal)
  }
}

async function ship(shipping: Shipping, batch: RecordBatch, signal: AbortSignal): Promise<void> {
  const { client, session, committed: after } = shipping
  const { rows, cursor, more, remarks } = batch
  for (const { message, facts } of remarks) shipping.deps.log.warn(facts, `record: ${message}`)
  const shipment = { session, after, cursor, rows, more, remarks, leaving: false }
  shipping.committed = (await client.ship(shipment, signal)).cursor
  shipping.shippedAt = performance.now()
}

/** Tells the server that this is an orderly end: it need not wait to find out. What was not shipped is on disk. */
async function leave({ deps, client, session, committed }: Shipping): Promise<void> {
  const nothing = { rows: [], remarks: [], after: committed, cursor: committed, more: true }
  try {
    await client.ship({ ...nothing, session, leaving: true }, AbortSignal.timeout(leaveMs))
  } catch (error) {
    deps.log.info({ err: error }, 'agent: left without a word')
  }
}
