/** The machine of some receivers is gone from one packet to the next, and nobody tells: connections are half open. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { mostMemoryMb } from '#bench/memory.ts'
import type { Attempt, Delivery } from '#contracts/delivery.ts'
import type { Page } from '#contracts/page.ts'
import { endedCalls } from '#test/asterisk/arrivals.ts'
import { allDelivered, newSecret, storedEvents } from '#test/asterisk/stack.ts'
import { checkOrderedCalls, explainRepeats } from '#test/chaos/account-for.ts'
import { chance, effort } from '#test/chaos/chance.ts'
import { type FarHost, startFarHost, whyNoFarHost } from '#test/chaos/far-host.ts'
import type { FarReceiver } from '#test/chaos/far-receiver.ts'
import { startWorld, type World } from '#test/chaos/world.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const impossible = whyNoFarHost()
const callsMeanwhile = effort === 'long' ? 300 : 20

test.skipIf(impossible !== null)(
  `a machine that vanishes: its attempts time out, nothing of them stays, the others hear all${impossible ? ` — ${impossible}` : ''}`,
  async ({ onTestFailed }) => {
    const luck = chance('half-open')
    await using parts = new AsyncDisposableStack()
    const host = parts.use(await startFarHost())
    const secret = newSecret()
    const good = parts.use(await startReceiver({ secret }))
    await host.letOut(Number(new URL(good.url).port))
    const env = { OFFHOOK_ALLOW_ADDRESSES: `127.0.0.0/8, ${host.address}` }
    const far = (name: FarReceiver, retries: number) => ({
      name,
      url: host.urlOf(name),
      retries,
      timeout_seconds: 2,
    })
    const world = parts.use(
      await startWorld(
        [{ url: good.url, secret }, far('silent', 0), far('half', 0), far('well', 30)],
        { env, island: host },
      ),
    )
    const { offhook, webhooks } = world
    const [, silent, half, well] = webhooks.map(({ id }) => id)
    onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
    const writer = parts.use(writeCalls(world.cel, luck, { atOnce: 3, everyMs: 20 }))
    const hears = async (calls: number) =>
      await good.waitFor((all) => endedCalls(all) >= calls, `${calls} calls`, 30_000)
    await waitUntil(
      () =>
        host.asked('silent').length > 0 &&
        host.asked('half').length > 0 &&
        host.asked('well').length > 5,
      {
        what: 'requests are under way to all',
      },
    )

    await host.vanish()
    const known = new Set(host.asked('well'))
    const began = endedCalls(good.requests)
    await hears(began + callsMeanwhile)
    const outcomes = {
      // Under way when it happened, with a request that had arrived, and with half an answer.
      silent: await firstAttempt(world, silent),
      half: await firstAttempt(world, half),
      // On a connection that had served, and that nobody says is dead.
      well: await failedAttempt(world, well, 'timeout'),
      // What had to connect anew.
      new: await failedAttempt(world, well, 'connect_timeout'),
    }
    expect(outcomes).toMatchObject({
      silent: { error: 'timeout', status_code: null },
      half: { error: 'timeout', status_code: 200, response_body: 'half of it' },
      well: { error: 'timeout', status_code: null },
      new: { error: 'connect_timeout', status_code: null },
    })
    for (const { duration_ms } of Object.values(outcomes)) expect(duration_ms).toBeLessThan(4_000)
    // One probe at a time, each of two seconds; in between there is no socket left.
    await waitUntil(async () => (await socketsTo(host, world)) === 0, {
      what: 'no socket is left',
      timeoutMs: 30_000,
    })

    await host.comeBack()
    await offhook.api('POST', `/webhooks/${well}/enable`)
    await waitUntil(() => host.asked('well').some((id) => !known.has(id)), {
      what: 'it is served again',
    })
    const calls = await writer.stop()
    await hears(calls)
    await offhook.api('POST', `/webhooks/${silent}/cancel-waiting`)
    await offhook.api('POST', `/webhooks/${half}/cancel-waiting`)
    await allDelivered({ offhook })

    checkOrderedCalls(good.requests, calls)
    expect(await explainRepeats(world, good.requests, [])).toEqual({ refused: 0, killed: 0 })
    const arrived = host.asked('well')
    const events = (await storedEvents({ offhook })).map(({ id }) => id)
    expect(new Set(arrived)).toEqual(new Set(events))
    // What the kernel still had of a request that was given up may arrive when the line is back.
    const query = `webhook_id=${well}&ok=false&limit=100`
    const failed = (await offhook.api<Page<Attempt>>('GET', `/attempts?${query}`)).items
    const repeated = arrived.filter((id, i) => arrived.indexOf(id) < i)
    expect(failed.map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(repeated))
    const memory = await mostMemoryMb(offhook.pid())
    expect(memory).toBeLessThan(400)
    process.stdout.write(
      `chaos: a machine vanished, ${calls} calls, lost 0, repeated to it ${repeated.length}, peak ${memory.toFixed(0)} MB\n`,
    )
  },
)

/** The first that was given up. */
async function firstAttempt({ offhook }: World, webhookId = ''): Promise<Attempt> {
  return await waitUntil(
    async () => {
      const query = `webhook_id=${webhookId}&state=exhausted&limit=100`
      const tried = (await offhook.api<Page<Delivery>>('GET', `/deliveries?${query}`)).items.at(-1)
      if (tried === undefined) return null
      return (await offhook.api<Page<Attempt>>('GET', `/deliveries/${tried.id}/attempts`)).items[0]
    },
    { what: 'an attempt was given up' },
  )
}

async function failedAttempt(
  { offhook }: World,
  webhookId = '',
  error: Attempt['error'],
): Promise<Attempt> {
  return await waitUntil(
    async () => {
      const query = `webhook_id=${webhookId}&error=${error}&limit=1`
      return (await offhook.api<Page<Attempt>>('GET', `/attempts?${query}`)).items[0]
    },
    { what: `an attempt has failed with ${error}`, timeoutMs: 30_000 },
  )
}

/** Connections to the host that Offhook's process holds, whatever the kernel still tries for others. */
async function socketsTo({ address }: FarHost, { offhook }: World): Promise<number> {
  const proc = `/proc/${offhook.pid()}`
  const own = new Set<string>()
  for (const fd of await readdir(`${proc}/fd`)) {
    // It may be closed meanwhile.
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`${proc}/fd/${fd}`).catch(() => ''))?.[1]
    if (inode !== undefined) own.add(inode)
  }
  const hex = address
    .split('.')
    .reverse()
    .map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
    .join('')
  const rows = (await readFile(`${proc}/net/tcp`, 'utf8')).trim().split('\n').slice(1)
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[2]?.startsWith(`${hex}:`) && own.has(columns[9] ?? '')).length
}
