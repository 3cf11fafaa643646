/** The disk of the database is full for a while, and Offhook is killed while it is. */
import { expect, test } from 'vitest'
import { mostMemoryMb } from '#bench/memory.ts'
import { checkNothingLost, endedCalls } from '#test/asterisk/arrivals.ts'
import { allDelivered, newSecret } from '#test/asterisk/stack.ts'
import { checkOrderedCalls, explainRepeats } from '#test/chaos/account-for.ts'
import { chance } from '#test/chaos/chance.ts'
import { startSmallDisk, whyNoSmallDisk } from '#test/chaos/small-disk.ts'
import { startWorld } from '#test/chaos/world.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const impossible = whyNoSmallDisk()

test.skipIf(impossible !== null)(
  `a full disk, also over a kill: what happened meanwhile comes when there is room${impossible ? ` — ${impossible}` : ''}`,
  async ({ onTestFailed }) => {
    const luck = chance('disk')
    await using parts = new AsyncDisposableStack()
    const secret = newSecret()
    const disk = parts.use(await startSmallDisk(48))
    const receiver = parts.use(await startReceiver({ secret }))
    const world = parts.use(await startWorld([{ url: receiver.url, secret }], { disk }))
    const { offhook } = world
    onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
    const writer = parts.use(writeCalls(world.cel, luck, { atOnce: 3, everyMs: 20 }))
    const hears = async (calls: number) =>
      await receiver.waitFor((all) => endedCalls(all) >= calls, `${calls} calls`, 60_000)
    await hears(5)

    await disk.fill()
    const written = writer.ended()
    await waitUntil(() => writer.ended() >= written + 20, { what: '20 calls are written' })
    expect(endedCalls(receiver.requests)).toBeLessThan(written + 20)
    await disk.empty()
    await hears(written + 20)

    await disk.fill()
    const again = writer.ended()
    await waitUntil(() => writer.ended() >= again + 20, { what: '20 calls are written' })
    const memoryThen = await mostMemoryMb(offhook.pid())
    await offhook.kill()
    const killedAt = performance.now()
    await disk.empty()
    await offhook.start()
    const calls = await writer.stop()
    await hears(calls)
    await allDelivered({ offhook })

    checkOrderedCalls(receiver.requests, calls)
    await checkNothingLost({ offhook, receiver })
    const repeats = await explainRepeats(world, receiver.requests, [killedAt])
    // Of the process that was killed, and of the one after it.
    const memory = Math.max(memoryThen, await mostMemoryMb(offhook.pid()))
    expect(memory).toBeLessThan(400)
    process.stdout.write(
      `chaos: two full disks, ${calls} calls, lost 0, repeated by the kill ${repeats.killed}, peak ${memory.toFixed(0)} MB\n`,
    )
  },
)
