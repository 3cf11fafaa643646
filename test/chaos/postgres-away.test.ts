/** PostgreSQL is restarted, killed and held up while calls go on: nothing is lost, and no restart of ours is needed. */
import { expect, test } from 'vitest'
import { mostMemoryMb } from '#bench/memory.ts'
import { checkNothingLost, endedCalls } from '#test/asterisk/arrivals.ts'
import { allDelivered, newSecret } from '#test/asterisk/stack.ts'
import { checkOrderedCalls } from '#test/chaos/account-for.ts'
import { chance, effort } from '#test/chaos/chance.ts'
import { startWorld } from '#test/chaos/world.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { type PostgresServer, startPostgres } from '#test/support/postgres-server.ts'
import { type ReceivedRequest, startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/** How it goes away, and how it comes back. */
const outages: Readonly<Record<string, readonly [keyof PostgresServer, keyof PostgresServer]>> = {
  restarted: ['stop', 'start'],
  killed: ['kill', 'start'],
  paused: ['pause', 'resume'],
}
const rounds = effort === 'long' ? 6 : 1
/** What is written to the record of the PBX while the database is away. */
const callsMeanwhile = effort === 'long' ? 20 : 4

interface Outage {
  readonly name: string
  readonly from: number
  readonly to: number
}

test(`PostgreSQL restarted, killed and paused, ${rounds} times each`, async ({ onTestFailed }) => {
  const luck = chance('postgres')
  await using parts = new AsyncDisposableStack()
  const server = parts.use(await startPostgres())
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const env = { OFFHOOK_DATABASE: await server.createDatabase('chaos') }
  // A lease that was committed, and the answer lost with the server, runs out this much sooner.
  const listener = { url: receiver.url, secret, timeout_seconds: 2 }
  const world = parts.use(await startWorld([listener], { env }))
  const { offhook } = world
  const pid = offhook.pid()
  onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
  const writer = parts.use(writeCalls(world.cel, luck, { atOnce: 3, everyMs: 20 }))

  const past: Outage[] = []
  for (let i = 0; i < rounds; i += 1) {
    for (const [name, [goAway, comeBack]] of Object.entries(outages)) {
      const seen = endedCalls(receiver.requests)
      await receiver.waitFor((all) => endedCalls(all) > seen, `a call before it is ${name}`, 60_000)
      const from = performance.now()
      await (server[goAway] as () => Promise<void> | void)()
      const written = writer.ended() + callsMeanwhile
      await waitUntil(() => writer.ended() >= written, {
        what: `${callsMeanwhile} calls are written meanwhile`,
        timeoutMs: 60_000,
      })
      await (server[comeBack] as () => Promise<void> | void)()
      past.push({ name, from, to: performance.now() })
    }
  }
  const calls = await writer.stop()
  await receiver.waitFor((all) => endedCalls(all) >= calls, `the end of ${calls} calls`, 90_000)
  await waitUntil(async () => (await fetch(`${offhook.url}/readyz`)).ok, { what: 'it is ready' })
  await allDelivered({ offhook })

  checkOrderedCalls(receiver.requests, calls)
  await checkNothingLost({ offhook, receiver })
  const repeated = explained(receiver.requests, past)
  expect(offhook.pid()).toBe(pid)
  const memory = await mostMemoryMb(offhook.pid())
  expect(memory).toBeLessThan(400)
  process.stdout.write(
    `chaos: PostgreSQL away ${past.length} times, ${calls} calls, lost 0, repeated ${repeated}, peak ${memory.toFixed(0)} MB\n`,
  )
}, 600_000)

/** How many came again, each over an outage in which the database lost that it was under way. */
function explained(requests: readonly ReceivedRequest[], past: readonly Outage[]): number {
  let repeated = 0
  for (const arrivals of Map.groupBy(requests, ({ event }) => event?.id).values()) {
    for (const [i, again] of arrivals.entries()) {
      const before = arrivals[i - 1]
      if (before === undefined) continue
      const over = past.find(({ from, to }) => before.at <= to && again.at >= from)
      if (over === undefined) throw new Error(`${again.event?.id} came again for no reason.`)
      repeated += 1
    }
  }
  return repeated
}
