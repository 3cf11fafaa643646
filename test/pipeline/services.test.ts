/** Following the services as one of several nodes would, on a real database. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ServiceDraft } from '#contracts/service.ts'
import { createAgentHub } from '#server/pbx/agent/agent-hub.ts'
import { pbxProducts } from '#server/pbx/products.ts'
import { openServices } from '#server/pipeline/services.ts'
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
  const deps = { store, products, log, now: Date.now, home: folder, others }
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
