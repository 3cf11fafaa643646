/** kill -9 at any moment, again and again, while calls go on and one receiver refuses what it feels like. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { mostMemoryMb } from '#bench/memory.ts'
import { checkNothingLost, endedCalls } from '#test/asterisk/arrivals.ts'
import { allDelivered, newSecret } from '#test/asterisk/stack.ts'
import { checkOrderedCalls, checkWrittenCalls, explainRepeats } from '#test/chaos/account-for.ts'
import { chance, effort } from '#test/chaos/chance.ts'
import { startWorld } from '#test/chaos/world.ts'
import { type Pace, writeCalls } from '#test/chaos/written-calls.ts'
import { startPostgres } from '#test/support/postgres-server.ts'
import { type ReceivedRequest, startReceiver } from '#test/support/receiver.ts'

const kills = effort === 'long' ? { sqlite: 40, postgres: 40 } : { sqlite: 5, postgres: 3 }

test(`SQLite, ${kills.sqlite} kills: nothing is lost, and each repetition has its reason`, async ({
  onTestFailed,
}) => {
  await killed(kills.sqlite, { atOnce: 4, everyMs: 20 }, {}, onTestFailed)
}, 300_000)

test(`PostgreSQL, ${kills.postgres} kills: nothing is lost, and each repetition has its reason`, async ({
  onTestFailed,
}) => {
  await using server = await startPostgres()
  const OFFHOOK_DATABASE = await server.createDatabase('chaos')
  await killed(kills.postgres, { atOnce: 4, everyMs: 60 }, { OFFHOOK_DATABASE }, onTestFailed)
}, 300_000)

async function killed(
  kills: number,
  pace: Pace,
  env: Readonly<Record<string, string>>,
  onTestFailed: (tell: () => void) => void,
): Promise<void> {
  const luck = chance('kills')
  await using parts = new AsyncDisposableStack()
  const secret = newSecret()
  const steady = parts.use(await startReceiver({ secret }))
  const moody = parts.use(await startReceiver({ secret }))
  // Every fourth event once: the pause after a second refusal is half a minute, and five in a row open the breaker.
  const refused = new Map<unknown, ReceivedRequest>()
  const known = new Set<unknown>()
  moody.respond((request) => {
    const id = request.event?.id
    const isNew = !known.has(id)
    known.add(id)
    if (!isNew || known.size % 4 !== 0) return {}
    refused.set(id, request)
    return { status: 503 }
  })
  const world = parts.use(
    await startWorld(
      [
        { url: steady.url, secret },
        { url: moody.url, secret, retries: 10 },
      ],
      { env },
    ),
  )
  const { offhook } = world
  onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
  const writer = parts.use(writeCalls(world.cel, luck, pace))

  const killedAt: number[] = []
  for (let i = 0; i < kills; i++) {
    // The moment is the subject of this test, so it goes by time and not by a condition.
    await pause(luck.between(20, 1_500))
    await offhook.kill()
    killedAt.push(performance.now())
    await offhook.start()
  }
  const settling = performance.now()
  const calls = await writer.stop()
  await steady.waitFor((all) => endedCalls(all) >= calls, `the end of ${calls} calls`, 60_000)
  await allDelivered({ offhook })
  const settled = (performance.now() - settling) / 1_000

  checkOrderedCalls(steady.requests, calls)
  checkWrittenCalls(moody.requests, calls)
  await checkNothingLost({ offhook, receiver: steady })
  await checkNothingLost({ offhook, receiver: moody })
  const isRefused = (request: ReceivedRequest) => refused.get(request.event?.id) === request
  const repeats = {
    steady: await explainRepeats(world, steady.requests, killedAt),
    moody: await explainRepeats(world, moody.requests, killedAt, isRefused),
  }
  expect(repeats.moody.refused + repeats.moody.killed).toBeGreaterThanOrEqual(refused.size)
  expect(await mostMemoryMb(offhook.pid())).toBeLessThan(400)
  const arrived = steady.requests.length + moody.requests.length
  process.stdout.write(
    `chaos: ${env.OFFHOOK_DATABASE === undefined ? 'SQLite' : 'PostgreSQL'}, ${kills} kills, ${calls} calls, ${arrived} requests, lost 0, repeated ${JSON.stringify(repeats)}, all over ${settled.toFixed(1)} s after the last\n`,
  )
}
