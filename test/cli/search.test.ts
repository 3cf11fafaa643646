import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { firstAccountName } from '#server/app.ts'
import { openStore } from '#server/store/open-store.ts'
import type { Store } from '#server/store/store.ts'
import { setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  giveUp,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { type Folder, runCommand, temporaryFolder } from './run-offhook.ts'

// Several processes one after the other, each a second of work, on machines that have other things to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let data: Folder
let eventId: string
let callUuid: string
beforeAll(async () => {
  data = await temporaryFolder()
  await withTenant(prepare)
})
afterAll(async () => await data[Symbol.asyncDispose]())

let known: Tenant | null = null
async function withTenant(work: (store: Store, tenant: Tenant) => Promise<void>): Promise<void> {
  const store = await openStore({ url: `sqlite:${join(data.path, 'offhook.db')}` })
  known ??= await makeTenant(store, firstAccountName)
  await work(store, known)
  await store.close()
}

async function prepare(store: Store, tenant: Tenant): Promise<void> {
  await makeWebhook(store, tenant, { name: 'CRM' })
  await makeWebhook(store, tenant, {
    name: 'Deaf\u001b[2J\nof Zürich',
    triggers: ['voicemail.left'],
    service_uuid: tenant.serviceUuid,
  })
  const events = [callEvent(tenant, 'a'), callEvent(tenant, 'b')]
  await accept(store, tenant, events, Date.now())
  const [lease] = (await claim(store, Date.now(), 1)).leases
  if (lease !== undefined) await giveUp(store, lease, null, Date.now())
  eventId = lease?.event.id ?? ''
  const event = events.find(({ id }) => id === eventId)
  callUuid = event !== undefined && 'call' in event ? event.call.uuid : ''
}

const run = async (...args: string[]) => await runCommand(args, { OFFHOOK_DATA: data.path })

test('deliveries are searched, as a table and as CSV', async () => {
  const table = await run('deliveries', '--state', 'exhausted', '--since', '1h')
  expect(table).toMatchObject({ code: 0, stderr: '' })
  expect(table.stdout).toMatch(/^MADE +ID +STATE .*\n\S+Z +dlv_\S+ +exhausted +1 +500 .*\n$/)
  const csv = await run('deliveries', '--format', 'csv', '--status', '5xx', '--webhook', 'CRM')
  expect(parse(csv.stdout, { columns: true })).toMatchObject([
    { event_id: eventId, state: 'exhausted', last_status_code: '500' },
  ])
  const other = await run('deliveries', '--number', '+61 2 9999 9999')
  expect(other).toMatchObject({ code: 0, stdout: '' })
  expect(other.stderr).toMatch(/no deliveries, or none.*\n.*"offhook events" lists events/)
})

test('events are searched, as a table and as CSV, also those that fired nothing', async () => {
  const { code, stdout, stderr } = await run(
    'events',
    '--number',
    '+61 2 8888 1234',
    '--limit',
    '1',
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^There are more: /) })
  expect(stdout).toMatch(
    /^TIME +TYPE +CALL +ID\n\S+Z {2}call\.inbound\.received {2}\S+ → \S+ {2}evt_\S+\n$/,
  )
  const csv = await run('events', '--service', 'pbx1', '--format', 'csv', '--call', callUuid)
  expect(parse(csv.stdout, { columns: true })).toMatchObject([{ id: eventId }])
})

test('a delivery is explained by its event, and a call says how its events are found', async () => {
  const { stdout } = await run('deliveries', '--event', eventId)
  const [id = ''] = /dlv_\S+/.exec(stdout) ?? []
  expect(stdout).toMatch(/ WEBHOOK +NAME +BECAUSE\n.* wh_\S+ +CRM\n$/)
  expect((await run('explain', id)).stdout).toContain(`(wh_`)
  expect(await run('explain', callUuid)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`"offhook events --call ${callUuid}" lists its events`),
  })
})

test('webhooks are listed in columns, by the name of their PBX, with nothing that a terminal obeys', async () => {
  const { code, stdout, stderr } = await run('webhooks')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const [heading = '', deaf = '', crm = '', ...rest] = stdout.split('\n')
  expect(rest).toEqual([''])
  expect(heading).toMatch(/^ID +STATE +NAME +TYPE +OF +TRIGGERS$/)
  for (const [line, name, of] of [
    [deaf, 'Deaf [2J of Zürich', 'pbx1'],
    [crm, 'CRM', 'the account'],
  ] as const) {
    const at = (column: string) => line.slice(heading.indexOf(column)).split(/ {2}/)[0]
    expect(at('STATE')).toBe('enabled')
    expect(at('NAME')).toBe(name)
    expect(at('OF')).toBe(of)
  }
})

test.each([
  [['--service', 'pbx1'], ['Deaf']],
  [['--scope', 'account'], ['CRM']],
  [['--name', 'ZÜRICH', '--state', 'enabled'], ['Deaf']],
  [['--trigger', 'call.ended'], ['CRM']],
])('webhooks %j are those', async (args, names) => {
  const { code, stdout } = await run('webhooks', 'list', '--json', ...args)
  expect(code).toBe(0)
  const found = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(found.map(({ name }) => name.slice(0, 4).trim())).toEqual(names)
  expect(found.every((webhook) => !('secret' in webhook))).toBe(true)
})

test('attempts are searched the same way', async () => {
  const { stdout } = await run('attempts', '--event', eventId, '--format', 'ndjson')
  expect(JSON.parse(stdout)).toMatchObject({ event_id: eventId, number: 1, status_code: 500 })
})

test('of many triggers two are shown, and none to enable is said so', async () => {
  await withTenant(async (store, tenant) => {
    const { id } = await makeWebhook(store, tenant, { name: 'Quiet' })
    await setWebhookEnabled(store, tenant.account.id, id, false, 0)
    const triggers: EventType[] = ['call.ended', 'call.missed', 'voicemail.left', 'ivr.received']
    await makeWebhook(store, tenant, { name: 'Others', triggers })
  })
  const { stdout } = await run('webhooks', '--name', 'Others')
  expect(stdout).toMatch(/ call\.ended, call\.missed and 2 more\n$/)
  expect(await run('webhooks', 'enable-disabled')).toMatchObject({
    code: 0,
    stdout: 'There was none to enable: no webhook is disabled automatically.\n',
  })
})

test('an event tells what became of it, webhooks that have it first, those of other events last', async () => {
  const { code, stdout } = await run('explain', eventId)
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^call\.inbound\.received of \S+, call \S+\n\nCRM \(wh_\w+, dlv_\w+\): exhausted\n {2}.*500.*\n/,
  )
  const [, ...others] = [...stdout.matchAll(/^(\w+).* \(wh_.*\): (\w+)$/gm)]
  expect(others.map(([, name, verdict]) => [name, verdict])).toEqual([
    ['Quiet', 'disabled_by_user'],
    ['Others', 'trigger'],
    ['Deaf', 'trigger'],
  ])
})

test.each([
  [
    ['deliveries', '--state', 'done', '--event', 'x'],
    /--state: must be one of .*--event: must be the ID of an event/,
  ],
  [['deliveries', '--number', 'nobody', '--status', '7xx'], /--number: .*; --status: /],
  [['attempts', '--format', 'xml'], /--format is table, csv or ndjson/],
  [['events', '--call', '7', '--limit', '0'], /--limit is a whole number from 1 on/],
  [['attempts', '--since', 'yesterday', '--webhook', 'x'], /--since is how long ago/],
  [['explain'], /it is "explain <event id>"/],
  [['explain', 'evt_0'], /There is no event evt_0/],
])('%j is not understood', async (args, says) => {
  const outcome = await run(...args)
  expect(outcome).toMatchObject({ code: 2, stdout: '' })
  expect(outcome.stderr).toMatch(says)
})
