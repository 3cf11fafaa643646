/** Somebody sets the clock of the machine while calls go on and retries wait. */
import { expect, test } from 'vitest'
import { mostMemoryMb } from '#bench/memory.ts'
import { checkArrived, endedCalls } from '#test/asterisk/arrivals.ts'
import { allDelivered } from '#test/asterisk/stack.ts'
import { checkOrderedCalls, checkWrittenCalls, explainRepeats } from '#test/chaos/account-for.ts'
import { chance } from '#test/chaos/chance.ts'
import { startFakeClock } from '#test/chaos/fake-clock.ts'
import { startWorld } from '#test/chaos/world.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { type ReceivedRequest, startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const hour = 3_600
const callsPerJump = 5
/** The longest first pause, 5 s and a fifth, with room for a busy machine. */
const soonMs = 20_000

test('an hour ahead, an hour back, two hours back, also over a restart: nothing is lost, nothing waits for an hour', async ({
  onTestFailed,
}) => {
  const luck = chance('clock')
  await using parts = new AsyncDisposableStack()
  const clock = parts.use(await startFakeClock())
  // Without a secret: a receiver whose clock is right refuses signatures that are an hour old, as it should.
  const steady = parts.use(await startReceiver())
  const moody = parts.use(await startReceiver())
  // Every fourth event once: five refusals in a row would open the circuit breaker, and then others wait too.
  const refused = new Map<string | undefined, ReceivedRequest>()
  const known = new Set<string | undefined>()
  moody.respond((request) => {
    const id = request.event?.id
    const isNew = !known.has(id)
    known.add(id)
    if (!isNew || known.size % 4 !== 0) return {}
    refused.set(id, request)
    return { status: 503 }
  })
  const world = parts.use(
    await startWorld([{ url: steady.url }, { url: moody.url }], { env: clock.env }),
  )
  const { offhook } = world
  onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
  const writer = parts.use(
    writeCalls(world.cel, luck, { atOnce: 2, everyMs: 20 }, () => clock.now()),
  )
  for (const ahead of [0, hour, 0, -hour, hour, -hour]) {
    await clock.set(ahead)
    const seen = endedCalls(steady.requests)
    await steady.waitFor(
      (all) => endedCalls(all) >= seen + callsPerJump,
      `${callsPerJump} calls with the clock ${ahead} s ahead`,
      soonMs,
    )
  }
  // Set back between two runs: only the database can tell that what waits is not due in two hours.
  const waiting = () => [...refused].find(([id]) => timesOf(moody.requests, id) === 1)
  await waitUntil(waiting, { what: 'a retry waits', timeoutMs: soonMs })
  const [id] = waiting() ?? []
  await offhook.stop()
  await clock.set(-3 * hour)
  await offhook.start()
  await moody.waitFor((all) => timesOf(all, id) > 1, 'the retry over a restart', soonMs)
  const calls = await writer.stop()
  await steady.waitFor((all) => endedCalls(all) >= calls, `${calls} calls`, soonMs)
  await allDelivered({ offhook })

  checkOrderedCalls(steady.requests, calls)
  checkWrittenCalls(moody.requests, calls)
  await checkArrived({ offhook, receiver: steady })
  await checkArrived({ offhook, receiver: moody })
  const isRefused = (request: ReceivedRequest) => refused.get(request.event?.id) === request
  const repeats = {
    steady: await explainRepeats(world, steady.requests, []),
    moody: await explainRepeats(world, moody.requests, [], isRefused),
  }
  expect(repeats).toEqual({
    steady: { refused: 0, killed: 0 },
    moody: { refused: refused.size, killed: 0 },
  })
  const memory = await mostMemoryMb(offhook.pid())
  expect(memory).toBeLessThan(400)
  process.stdout.write(
    `chaos: 6 jumps of the clock, ${calls} calls, lost 0, repeated 0, peak ${memory.toFixed(0)} MB\n`,
  )
}, 180_000)

const timesOf = (requests: readonly ReceivedRequest[], id: string | undefined): number =>
  requests.filter(({ event }) => event?.id === id).length
