/** An agent and several `offhook start` on one PostgreSQL: the node that takes its calls dies, another one goes on. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { NewAgentToken } from '#contracts/agent.ts'
import { checkNothingLost, endedCalls, eventsOf, hears } from '#test/asterisk/arrivals.ts'
import { allDelivered, createService, createWebhook, newSecret } from '#test/asterisk/stack.ts'
import { checkOrderedCalls } from '#test/chaos/account-for.ts'
import { chance } from '#test/chaos/chance.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { createTestDatabase } from '#test/conformance/postgres-test-store.ts'
import { startAgent } from '#test/support/agent-process.ts'
import { type OffhookProcess, startOffhook } from '#test/support/offhook-process.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/** The node that runs the service; null: none does now. */
async function ownerOf(nodes: readonly OffhookProcess[], uuid: string) {
  for (const node of nodes) {
    const answer = await fetch(`${node.url}/readyz`).catch(() => null)
    if (answer === null) continue
    const { services = [] } = (await answer.json()) as { services?: readonly string[] }
    if (services.includes(uuid)) return node
  }
  return null
}

test('the node of the agent is killed: it finds the next, and nothing is lost or told twice', async ({
  onTestFailed,
}) => {
  await using parts = new AsyncDisposableStack()
  const database = parts.use(await createTestDatabase())
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-agent-')), (path) =>
    rm(path, { recursive: true }),
  )
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const env = { OFFHOOK_DATABASE: database.url, OFFHOOK_SECRET_KEY_FILE: database.keyPath }
  const first = parts.use(await startOffhook({ env }))
  const second = parts.use(await startOffhook({ env }))
  const nodes = [first, second]
  await createWebhook(first, receiver, null, { secret, concurrency: 20 })
  const { uuid } = await createService(first, {
    name: 'branch',
    friendly_name: 'Branch office',
    connection: { kind: 'asterisk_agent', trunks: ['trunk'] },
  })
  const { token } = await first.api<NewAgentToken>('POST', `/services/${uuid}/agent-token`)
  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, token)
  const celPath = join(folder, 'cel.csv')
  await writeFile(celPath, '')
  const agent = parts.use(
    startAgent({
      ...{ server: first.url, tokenFile, celPath, queueLogPath: 'none' },
      more: ['--server', second.url],
    }),
  )
  onTestFailed(() => {
    for (const { output } of [agent, ...nodes]) process.stderr.write(`${output()}\n`)
  })
  await hears(receiver, 0, 'service.link.up')
  const writer = parts.use(writeCalls(celPath, chance('agent'), { atOnce: 4, everyMs: 20 }))

  const before = endedCalls(receiver.requests)
  await receiver.waitFor((all) => endedCalls(all) > before + 3, 'calls arrive', 20_000)
  const owner = await ownerOf(nodes, uuid)
  if (owner === null) throw new Error('no node runs the service')
  await owner.kill()
  const killedAt = performance.now()
  const rest = nodes.filter((node) => node !== owner)
  await waitUntil(async () => (await ownerOf(rest, uuid)) !== null, {
    what: 'another node takes over',
    timeoutMs: 10_000,
  })
  const taken = endedCalls(receiver.requests)
  const takenOverIn = Math.round(performance.now() - killedAt)
  await receiver.waitFor((all) => endedCalls(all) > taken, 'calls go on arriving', 20_000)
  const goesOnAfter = Math.round(performance.now() - killedAt)
  const calls = await writer.stop()
  await receiver.waitFor((all) => endedCalls(all) >= calls, `the end of ${calls} calls`, 60_000)
  await owner.start()
  // The first has the key; what is delivered is the same by all.
  await allDelivered({ offhook: first })
  checkOrderedCalls(receiver.requests, calls)
  expect(eventsOf(receiver.requests).length).toBeGreaterThan(calls)
  const { repeated } = await checkNothingLost({ offhook: first, receiver })
  process.stdout.write(
    `agent: node killed, taken over in ${takenOverIn} ms, calls arrive again after ${goesOnAfter} ms; ` +
      `${calls} calls, lost 0, repeated by the kill ${repeated}\n`,
  )
}, 120_000)
