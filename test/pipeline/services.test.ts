/** Following the services as one of several nodes would, on a real database. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type PbxConnection, ServiceDraft } from '#contracts/service.ts'
import { createAgentHub } from '#server/pbx/agent/agent-hub.ts'
import { type PbxProducts, pbxProducts } from '#server/pbx/products.ts'
import { openServices } from '#server/pipeline/services.ts'
import { listOwnedServices } from '#server/store/ownerships.ts'
import { changeService, createService } from '#server/store/services.ts'
import { makeTenant } from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const log = { info: () => undefined, warn: () => undefined }

test('a free service out of reach is read when it changes, not at every look, and taken when it comes into reach', async () => {
  await using parts = new AsyncDisposableStack()
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-services-')), (path) =>
    rm(path, { recursive: true }),
  )
  const { store: real } = parts.use(await openSqliteTestStore())
  let opened = 0
  const store = {
    ...real,
    facts: { ...real.facts, singleProcess: false },
    secrets: {
      ...real.secrets,
      open: (text: string, about: string) => {
        opened += 1
        return real.secrets.open(text, about)
      },
    },
  }
  const { account } = await makeTenant(real)
  const cel = join(folder, 'cel.csv')
  const ami = { host: '127.0.0.1', port: 9, username: 'offhook', secret: 'secret' }
  const draft = ServiceDraft.parse({
    name: 'elsewhere',
    friendly_name: 'Elsewhere',
    connection: { kind: 'asterisk_attached', cel_path: cel, ami },
  })
  const { uuid } = await createService(real, account.id, draft, 0)
  let looks = 0
  const others = () => {
    looks += 1
    return 1
  }
  const asterisk = async () => {
    throw new Error('nobody asked for an Asterisk')
  }
  const products = pbxProducts({
    folder,
    asterisk,
    agents: createAgentHub(Date.now),
    denied: [],
    log,
  })
  const deps = { store, products, log, now: Date.now, audioLinks: null, home: folder, others }
  const services = parts.adopt(await openServices(deps), (s) => s.close())

  const afterLooks = async (more: number) => {
    const from = looks
    await waitUntil(() => looks >= from + more, { what: `${more} looks`, timeoutMs: 15_000 })
  }
  await afterLooks(1)
  const known = opened
  await afterLooks(2)
  expect(opened).toBe(known)
  await changeService(real, account.id, uuid, { friendly_name: 'Else where' }, 1)
  await afterLooks(2)
  expect(opened).toBe(known + 1)
  await writeFile(cel, '')
  const taken = await waitUntil(() => services.states().find((s) => s.service.uuid === uuid), {
    what: 'it is taken',
  })
  expect(taken.service.friendly_name).toBe('Else where')
})

test('a record on a mount that hangs keeps no other service waiting, nor the end', async () => {
  await using parts = new AsyncDisposableStack()
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-services-')), (path) =>
    rm(path, { recursive: true }),
  )
  const { store: real } = parts.use(await openSqliteTestStore())
  const store = { ...real, facts: { ...real.facts, singleProcess: false } }
  const { account } = await makeTenant(real)
  const draft = (name: string) =>
    ServiceDraft.parse({
      name,
      friendly_name: name,
      connection: { kind: 'asterisk_attached', cel_path: join(folder, name) },
    })
  const hung = await Promise.all(
    [1, 2, 3].map(async (n) => (await createService(real, account.id, draft(`hung-${n}`), 0)).uuid),
  )
  await writeFile(join(folder, 'sound'), '')

  let hangs = false
  const onMount = ({ kind, ...more }: PbxConnection) =>
    kind === 'asterisk_attached' && JSON.stringify(more).includes(join(folder, 'hung'))
  const never = new Promise<never>(() => undefined)
  const asterisk = async () => {
    throw new Error('nobody asked for an Asterisk')
  }
  const onDisk = pbxProducts({
    folder,
    asterisk,
    agents: createAgentHub(Date.now),
    denied: [],
    log,
  })
  // What no test can have is a mount that hangs: from here on its files answer nothing.
  let looks = 0
  const products: PbxProducts = {
    ...onDisk,
    isWithinReach: async (connection) => {
      if (!onMount(connection)) return await onDisk.isWithinReach(connection)
      if (hangs) looks += 1
      return hangs ? await never : true
    },
    pbxOf: async (uuid, connection) => {
      const pbx = await onDisk.pbxOf(uuid, connection)
      if (!onMount(connection)) return pbx
      const { record } = pbx
      const read: typeof record.read = async (at) => (hangs ? await never : await record.read(at))
      return { ...pbx, record: { ...record, read } }
    },
  }
  const deps = {
    store,
    products,
    log,
    now: Date.now,
    audioLinks: null,
    home: folder,
    others: () => 1,
  }
  const services = await openServices(deps)
  for (const one of hung) expect(services.stateOf(one)).not.toBeNull()

  hangs = true
  const { uuid } = await createService(real, account.id, draft('sound'), 0)
  await waitUntil(() => services.states().find((s) => s.service.uuid === uuid), {
    what: 'another service is taken',
    timeoutMs: 5_000,
  })
  await waitUntil(
    async () => {
      const rows = await listOwnedServices(real)
      return hung.every((one) => rows.find((row) => row.serviceUuid === one)?.unread)
    },
    { what: 'others may take what cannot be read here', timeoutMs: 5_000 },
  )
  expect(looks).toBe(hung.length)

  const began = performance.now()
  await services.close()
  expect(performance.now() - began).toBeLessThan(10_000)
  const rows = await listOwnedServices(real)
  expect(rows.map(({ node }) => node)).toEqual(rows.map(() => null))
}, 40_000)
