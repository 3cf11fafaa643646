/** Many `offhook start` on one PostgreSQL: real processes, killed without a word. */
import { access, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Service, ShownService } from '#contracts/service.ts'
import { checkNothingLost, endedCalls, eventsOf } from '#test/asterisk/arrivals.ts'
import { allDelivered, createService, createWebhook, newSecret } from '#test/asterisk/stack.ts'
import { checkOrderedCalls, explainRepeats } from '#test/chaos/account-for.ts'
import { chance } from '#test/chaos/chance.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { createTestDatabase } from '#test/conformance/postgres-test-store.ts'
import { type OffhookProcess, startOffhook } from '#test/support/offhook-process.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const takeOverMs = 10_000

interface Readiness {
  readonly node: string
  readonly services: readonly string[]
}

async function readinessOf({ url }: OffhookProcess): Promise<Readiness | null> {
  const answer = await fetch(`${url}/readyz`).catch(() => null)
  return answer?.ok ? ((await answer.json()) as Readiness) : null
}

/** The nodes that say that they capture the service. */
async function ownersOf(nodes: readonly OffhookProcess[], { uuid }: Service) {
  const told = await Promise.all(nodes.map(async (node) => ({ node, is: await readinessOf(node) })))
  return told.filter(({ is }) => is?.services.includes(uuid)).map(({ node }) => node)
}

/** The first start made a key and kept it in its own data folder: the others get it too. */
async function shareKey(nodes: readonly OffhookProcess[]): Promise<void> {
  const path = ({ dataFolder }: OffhookProcess) => join(dataFolder, 'api-key')
  const holds = await Promise.all(
    nodes.map((node) =>
      access(path(node)).then(
        () => true,
        () => false,
      ),
    ),
  )
  const first = nodes[holds.indexOf(true)]
  if (first === undefined) throw new Error('no node has made a key')
  for (const node of nodes) if (node !== first) await copyFile(path(first), path(node))
}

test('three at once: one captures; killed, another goes on; nothing is lost and nothing doubled', async ({
  onTestFailed,
}) => {
  const luck = chance('nodes')
  await using parts = new AsyncDisposableStack()
  const database = parts.use(await createTestDatabase())
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-record-')), (path) =>
    rm(path, { recursive: true }),
  )
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const env = { OFFHOOK_DATABASE: database.url, OFFHOOK_SECRET_KEY_FILE: database.keyPath }
  // At once and on an empty database: one of them makes the tables.
  const nodes = await Promise.all([1, 2, 3].map(async () => parts.use(await startOffhook({ env }))))
  onTestFailed(() => {
    for (const node of nodes) process.stderr.write(`${node.url}\n${node.output()}\n`)
  })
  await shareKey(nodes)
  const [first] = nodes
  if (first === undefined) throw new Error('no node')
  const cel = join(folder, 'cel.csv')
  await writeFile(cel, '')
  await createWebhook(first, receiver, null, { secret, concurrency: 20 })
  const service = await createService(first, {
    name: 'attached',
    friendly_name: 'Attached',
    connection: {
      kind: 'asterisk_attached',
      cel_path: cel,
      queue_log_path: null,
      recordings_path: null,
      voicemail_path: null,
      ami: null,
      trunks: ['trunk'],
    },
  })
  await receiver.waitFor(
    (all) => eventsOf(all).some((event) => event.type === 'service.link.up'),
    'the record is being read',
    takeOverMs,
  )
  const writer = parts.use(writeCalls(cel, luck, { atOnce: 4, everyMs: 20 }))

  const killedAt: number[] = []
  const takenOverIn: number[] = []
  for (let round = 0; round < 2; round += 1) {
    const before = endedCalls(receiver.requests)
    await receiver.waitFor((all) => endedCalls(all) > before + 3, 'calls arrive', 20_000)
    const owners = await ownersOf(nodes, service)
    expect(owners).toHaveLength(1)
    const [owner] = owners
    if (owner === undefined) throw new Error('no owner')
    for (const node of nodes) {
      const { status } = await node.api<ShownService>('GET', `/services/${service.uuid}`)
      expect(status.pbx).toBe(node === owner ? 'up' : 'elsewhere')
    }
    await owner.kill()
    // What it sent with its last breath arrives before the process is gone.
    killedAt.push(performance.now())
    const rest = nodes.filter((node) => node !== owner)
    await waitUntil(async () => (await ownersOf(rest, service)).length === 1, {
      what: 'another node captures',
      timeoutMs: takeOverMs,
    })
    takenOverIn.push(Math.round(performance.now() - (killedAt.at(-1) ?? 0)))
    await owner.start()
  }
  const calls = await writer.stop()
  await receiver.waitFor((all) => endedCalls(all) >= calls, `the end of ${calls} calls`, 60_000)
  const [last] = await ownersOf(nodes, service)
  if (last === undefined) throw new Error('no owner')
  await allDelivered({ offhook: last })

  checkOrderedCalls(receiver.requests, calls)
  await checkNothingLost({ offhook: last, receiver })
  const repeats = await explainRepeats({ offhook: last }, receiver.requests, killedAt)
  process.stdout.write(
    `nodes: 2 owners killed, taken over in ${takenOverIn} ms, ${calls} calls, ${receiver.requests.length} requests, lost 0, repeated ${JSON.stringify(repeats)}\n`,
  )
}, 180_000)

test('a node that is alone waits for a record that it cannot read; one that comes and can, takes it over', async ({
  onTestFailed,
}) => {
  await using parts = new AsyncDisposableStack()
  const database = parts.use(await createTestDatabase())
  const newFolder = async (name: string) =>
    parts.adopt(await mkdtemp(join(tmpdir(), name)), (path) => rm(path, { recursive: true }))
  const folder = await newFolder('offhook-record-')
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const env = { OFFHOOK_DATABASE: database.url, OFFHOOK_SECRET_KEY_FILE: database.keyPath }
  const alone = parts.use(await startOffhook({ env }))
  await createWebhook(alone, receiver, null, { secret })
  const service = await createService(alone, {
    name: 'far',
    friendly_name: 'Far',
    connection: {
      kind: 'asterisk_attached',
      // One path, which leads somewhere only in a process that was started with the folder in its hand.
      cel_path: '/proc/self/fd/99/cel.csv',
      queue_log_path: null,
      recordings_path: null,
      voicemail_path: null,
      ami: null,
      trunks: ['trunk'],
    },
  })
  const statusAt = async (node: OffhookProcess) =>
    (await node.api<ShownService>('GET', `/services/${service.uuid}`)).status
  await waitUntil(async () => (await ownersOf([alone], service)).length === 1, {
    what: 'one has it',
  })
  expect(await statusAt(alone)).toMatchObject({
    pbx: 'down',
    reason: expect.stringMatching(/CEL file/),
  })

  const cel = join(folder, 'cel.csv')
  await writeFile(cel, '')
  const outside = await newFolder('offhook-data-')
  const enter = ['bash', '-c', `exec "$0" "$@" 99<${folder}`]
  const near = parts.use(await startOffhook({ env, disk: { inside: outside, outside, enter } }))
  const nodes = [alone, near]
  onTestFailed(() => {
    for (const node of nodes) process.stderr.write(`${node.url}\n${node.output()}\n`)
  })
  await shareKey(nodes)
  await waitUntil(async () => (await ownersOf(nodes, service))[0] === near, {
    what: 'the one that can read it has it',
    timeoutMs: takeOverMs,
  })
  await waitUntil(async () => (await statusAt(alone)).pbx === 'elsewhere', {
    what: 'the other not',
  })
  const writer = parts.use(writeCalls(cel, chance('far'), { atOnce: 2, everyMs: 20 }))
  await receiver.waitFor((all) => endedCalls(all) > 2, 'calls arrive', 20_000)
  await writer.stop()
}, 90_000)
