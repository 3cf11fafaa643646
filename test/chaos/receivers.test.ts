/** Every bad receiver there is beside a good one: the good one must not notice. */
import { expect, test } from 'vitest'
import { mostMemoryMb } from '#bench/memory.ts'
import type { Attempt, Delivery } from '#contracts/delivery.ts'
import type { Page } from '#contracts/page.ts'
import { endedCalls } from '#test/asterisk/arrivals.ts'
import { newSecret } from '#test/asterisk/stack.ts'
import { checkOrderedCalls, explainRepeats } from '#test/chaos/account-for.ts'
import { chance, effort } from '#test/chaos/chance.ts'
import { evils, startEvil } from '#test/chaos/evil-receivers.ts'
import { startWorld, type World } from '#test/chaos/world.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const wantedCalls = effort === 'long' ? 500 : 20

test('bad receivers: each is called what it is, and the good one hears all in time', async ({
  onTestFailed,
}) => {
  const luck = chance('receivers')
  await using parts = new AsyncDisposableStack()
  const secret = newSecret()
  const good = parts.use(await startReceiver({ secret }))
  const bad = []
  for (const [name, evil] of Object.entries(evils)) {
    bad.push({ name, error: evil.error, ...parts.use(await startEvil(evil)) })
  }
  const world = parts.use(
    await startWorld([
      { url: good.url, secret },
      ...bad.map(({ name, url }) => ({ name, url, retries: 0, timeout_seconds: 3 })),
    ]),
  )
  const { offhook, webhooks } = world
  onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
  const writer = parts.use(writeCalls(world.cel, luck, { atOnce: 4, everyMs: 20 }))
  await good.waitFor((all) => endedCalls(all) >= wantedCalls, `${wantedCalls} calls`, 60_000)
  const calls = await writer.stop()
  await good.waitFor((all) => endedCalls(all) >= calls, 'the last call', 30_000)
  const waiting = await Promise.all(
    ['pending', 'held'].map((state) =>
      offhook.api<Page<Delivery>>('GET', `/deliveries?limit=1&state=${state}`),
    ),
  )
  // Held where the circuit breaker has opened. The good one has all while the bad ones still have their first: it waited for none of them.
  expect(waiting.flatMap((page) => page.items)).not.toEqual([])
  checkOrderedCalls(good.requests, calls)
  expect(await explainRepeats(world, good.requests, [])).toEqual({ refused: 0, killed: 0 })

  for (const [i, { name, error, connections }] of bad.entries()) {
    const attempt = await oneAttempt(world, webhooks[i + 1]?.id ?? '')
    expect({ name, error: attempt.error }).toEqual({ name, error })
    expect(connections()).toBeGreaterThan(0)
  }
  const memory = await mostMemoryMb(offhook.pid())
  expect(memory).toBeLessThan(400)
  process.stdout.write(
    `chaos: ${bad.length} bad receivers, ${calls} calls, lost 0, peak ${memory.toFixed(0)} MB\n`,
  )
})

/** The first attempt for the webhook; waits for it. */
async function oneAttempt({ offhook }: World, webhookId: string): Promise<Attempt> {
  return await waitUntil(
    async () => {
      const query = `webhook_id=${webhookId}&state=exhausted&limit=1`
      const [tried] = (await offhook.api<Page<Delivery>>('GET', `/deliveries?${query}`)).items
      if (tried === undefined) return null
      return (await offhook.api<Page<Attempt>>('GET', `/deliveries/${tried.id}/attempts`)).items[0]
    },
    { what: 'a bad receiver was tried' },
  )
}
