import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Service, ShownService } from '#contracts/service.ts'
import { asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import { demoPbxDocument } from '#server/pbx/asterisk/demo-pbx.ts'
import { readCapture } from '#server/store/captures.ts'
import { listServicesInside } from '#server/store/services.ts'
import { tracesFolder } from '#test/traces/read-trace.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const managed = (name: string) => ({
  name,
  friendly_name: 'Head office',
  country: 'AU',
  connection: { kind: 'asterisk_managed' },
})

async function createService(name: string, draft: object = managed(name)) {
  const reply = await server.anna.request('POST', '/api/v1/services', { body: draft })
  expect(reply.status).toBe(201)
  return { ...reply, address: `/api/v1/services/${reply.body.uuid}` }
}

test('a service is created with its defaults, read, listed, changed and deleted', async () => {
  const created = await createService('office')
  expect(ShownService.parse(created.body)).toEqual(created.body)
  expect(created.body).toMatchObject({ type: 'hosted_pbx', applications_enabled: false })
  const { status: _now, ...asCreated } = created.body
  expect((await server.anna.request('GET', created.address)).body).toMatchObject(asCreated)

  const changed = await server.anna.request('PATCH', created.address, {
    body: { applications_enabled: true },
  })
  expect(changed.body).toMatchObject({ applications_enabled: true, friendly_name: 'Head office' })
  const list = await server.anna.request('GET', '/api/v1/services')
  const { status: _then, ...asChanged } = changed.body
  expect(list.body.items).toContainEqual(expect.objectContaining(asChanged))

  expect((await server.anna.request('DELETE', created.address)).status).toBe(204)
  expect((await server.anna.request('GET', created.address)).status).toBe(404)
  expect((await server.anna.request('DELETE', created.address)).status).toBe(404)
  expect(server.servicesChanged.filter((uuid) => uuid === created.body.uuid)).toHaveLength(3)
})

test('a name is taken within the account, not beyond', async () => {
  const { address } = await createService('twice')
  const again = await server.anna.request('POST', '/api/v1/services', { body: managed('twice') })
  expect(again.body).toMatchObject({ status: 409, code: 'name_taken' })
  const other = await server.bert.request('POST', '/api/v1/services', { body: managed('twice') })
  expect(other.status).toBe(201)
  const { body } = await createService('free')
  const renamed = await server.anna.request('PATCH', `/api/v1/services/${body.uuid}`, {
    body: { name: 'twice' },
  })
  expect(renamed.body.code).toBe('name_taken')
  expect((await server.anna.request('PATCH', address, { body: { name: 'twice' } })).status).toBe(
    200,
  )
})

test('the service of another account does not exist', async () => {
  const { address, body } = await createService('private')
  for (const [method, options] of [
    ['GET', {}],
    ['PATCH', { body: { friendly_name: 'mine' } }],
    ['DELETE', {}],
  ] as const) {
    expect((await server.bert.request(method, address, options)).body.code).toBe('not_found')
  }
  expect((await server.bert.request('GET', `${address}/pbx`)).body.code).toBe('not_found')
  const others: readonly Service[] = (await server.bert.request('GET', '/api/v1/services')).body
    .items
  expect(others.map(({ uuid }) => uuid)).not.toContain(body.uuid)
  const { updated_at, friendly_name } = body
  expect((await server.anna.request('GET', address)).body).toMatchObject({
    updated_at,
    friendly_name,
  })
})

test('the AMI secret is never shown, and survives a change that sends it back hidden', async () => {
  const ami = { host: '10.0.0.5', port: 5038, username: 'offhook', secret: 'plain-ami-secret' }
  const connection = { kind: 'asterisk_attached', cel_path: '/var/log/cel.csv', ami }
  const { address, body } = await createService('from-now-on', {
    ...managed('attached'),
    connection,
  })
  const { body: read } = await server.anna.request('GET', address)
  expect(JSON.stringify([body, read])).not.toContain('plain-ami-secret')
  const { body: changed } = await server.anna.request('PATCH', address, {
    body: { connection: { ...read.connection, cel_path: '/var/log/other.csv' } },
  })
  expect(changed.connection).toMatchObject({ cel_path: '/var/log/other.csv', ami: { port: 5038 } })
  expect(JSON.stringify(server.log())).not.toContain('plain-ami-secret')
})

test('a change with If-Match is refused once somebody else has changed the service', async () => {
  const { address, headers } = await createService('matched')
  const etag = headers.get('etag') ?? ''
  const change = (friendly_name: string, tag: string) =>
    server.anna.request('PATCH', address, { body: { friendly_name }, headers: { 'if-match': tag } })
  const first = await change('One', etag)
  expect(first.status).toBe(200)
  expect((await change('Two', etag)).body).toMatchObject({
    status: 412,
    code: 'precondition_failed',
  })
  const stale = { headers: { 'if-match': etag } }
  expect((await server.anna.request('DELETE', address, stale)).status).toBe(412)
  expect((await change('Two', first.headers.get('etag') ?? '')).status).toBe(200)
})

test('of changes sent at once with the same If-Match, one is done', async () => {
  const { address, headers } = await createService('raced')
  const tag = headers.get('etag') ?? ''
  const replies = await Promise.all(
    ['A', 'B', 'C', 'D', 'E'].map((friendly_name) =>
      server.anna.request('PATCH', address, {
        body: { friendly_name },
        headers: { 'if-match': tag },
      }),
    ),
  )
  expect(replies.map((r) => r.status).toSorted()).toEqual([200, 412, 412, 412, 412])
})

test('a service is always sent whole: its status can be new although its settings are not', async () => {
  const { address, headers } = await createService('known')
  const known = { headers: { 'if-none-match': headers.get('etag') ?? '' } }
  expect((await server.anna.request('GET', address, known)).status).toBe(200)
})

test('pages hold every service once, newest first, also while new ones come', async () => {
  const names = ['p1', 'p2', 'p3', 'p4', 'p5']
  for (const name of names) {
    await server.bert.request('POST', '/api/v1/services', { body: managed(name) })
  }
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await server.bert.request('GET', `/api/v1/services?limit=2${from}`)
    seen.push(...body.items.map((service: Service) => service.name))
    cursor = body.next_cursor
    await server.bert.request('POST', '/api/v1/services', { body: managed(`later${seen.length}`) })
  }
  expect(seen.filter((name) => name.startsWith('p'))).toEqual(names.toReversed())
})

test('the PBX document is put, read back and checked', async () => {
  const { address } = await createService('document')
  expect((await server.anna.request('GET', `${address}/pbx`)).status).toBe(404)
  const document = demoPbxDocument({
    carrierPort: 5070,
    carrierMatch: ['127.0.0.1:5070'],
    phonePorts: { 201: 5080, 202: 5080, 203: 5080 },
    registeringSecret: 'not-very-secret-204',
  })
  const put = await server.anna.request('PUT', `${address}/pbx`, { body: document })
  expect(put.status).toBe(200)
  const read = await server.anna.request('GET', `${address}/pbx`)
  const known = { headers: { 'if-none-match': read.headers.get('etag') ?? '' } }
  const again = await server.anna.request('GET', `${address}/pbx`, known)
  expect(again).toMatchObject({ status: 304, body: undefined })
  expect(read.body).toEqual(put.body)
  expect(read.headers.get('etag')).toBe(put.headers.get('etag'))

  const users = [{ ...document.users[0], extension_nummer: '1' }, ...document.users.slice(1)]
  const wrong = await server.anna.request('PUT', `${address}/pbx`, { body: { ...document, users } })
  expect(wrong.body).toMatchObject({
    code: 'invalid_input',
    errors: [{ field: 'users[0].extension_nummer', message: 'did you mean "extension_number"?' }],
  })
  expect((await server.anna.request('GET', `${address}/pbx`)).body).toEqual(put.body)
})

test('secrets of a PBX document are never shown, and stay when they come back hidden', async () => {
  const { address, body: service } = await createService('secretive')
  const secrets = ['phone-secret-201', '73519', 'carrier-secret']
  const [phone, pin, carrier] = secrets
  const uuid = '3f0f8a43-9d0f-4d7a-8a55-6a7f3d1f0201'
  const user = { uuid, extension_number: '201', name: 'Anna', has_voicemail: true }
  const trunk = { name: 'carrier', host: '10.0.0.9', username: 'office' }
  const document = {
    name: 'pbx',
    users: [{ ...user, secret: phone, voicemail_pin: pin }],
    trunks: [{ ...trunk, secret: carrier }],
  }
  const send = (body: object) => server.anna.request('PUT', `${address}/pbx`, { body })
  const stored = async () => {
    const all = await listServicesInside(server.store)
    return JSON.parse(all.find((s) => s.service.uuid === service.uuid)?.pbxDocument ?? 'null')
  }

  const masked = await send({ ...document, users: [{ ...user, secret: '********' }] })
  expect(masked.body).toMatchObject({ code: 'invalid_input' })
  const early = { ...user, secret: phone, voicemail_pin: '********' }
  expect((await send({ ...document, users: [early] })).body).toMatchObject({
    code: 'invalid_input',
    detail: 'Wrong: users[0].voicemail_pin.',
    errors: [
      { field: 'users[0].voicemail_pin', message: expect.stringContaining('there is none') },
    ],
  })
  expect(await stored()).toBeNull()

  const put = await send(document)
  const read = await server.anna.request('GET', `${address}/pbx`)
  expect(read.body).toEqual(put.body)
  for (const secret of secrets) expect(JSON.stringify(put.body)).not.toContain(secret)
  expect(put.body.users[0]).toMatchObject({ secret: '********', voicemail_pin: '********' })

  // Read, edited (other extension, another user before it, a new PIN), written.
  const edited = structuredClone(read.body)
  Object.assign(edited.users[0], { extension_number: '301', voicemail_pin: '9999' })
  const other = { uuid: uuid.replace(/201$/, '202'), extension_number: '201', name: 'Ben' }
  edited.users.unshift({ ...other, secret: 'phone-secret-202' })
  expect((await send(edited)).status).toBe(200)
  expect((await stored()).users).toMatchObject([
    { extension_number: '201', secret: 'phone-secret-202' },
    { extension_number: '301', secret: phone, voicemail_pin: '9999' },
  ])
  expect((await stored()).trunks).toMatchObject([{ secret: carrier }])
  expect(JSON.stringify(server.log())).not.toMatch(/phone-secret|73519|carrier-secret/)
})

test('a mask where no secret is stored is told by its field', async () => {
  const ami = { host: '10.0.0.5', username: 'offhook', secret: '********' }
  const connection = { kind: 'asterisk_attached', cel_path: '/var/log/cel.csv', ami }
  const body = { ...managed('masked'), connection }
  const reply = await server.anna.request('POST', '/api/v1/services', { body })
  expect(reply.body).toMatchObject({
    code: 'invalid_input',
    errors: [{ field: 'connection.ami.secret' }],
  })
})

test('a service tells how its PBX is doing, without becoming another version of itself', async () => {
  const { address, body, headers } = await createService('told')
  expect(body.status).toMatchObject({ pbx: 'starting', document: null, test_calls: false })
  const why = 'The PBX did not take the new extensions.conf.'
  const document = { is: 'rejected', since: 2_000, because: why, restartNeeded: false } as const
  server.states.set(body.uuid, { is: 'up', since: 1_000, because: null, document })
  const read = await server.anna.request('GET', address)
  expect(read.body.status).toEqual({
    pbx: 'up',
    agent: null,
    since: '1970-01-01T00:00:01.000Z',
    reason: null,
    document: {
      state: 'rejected',
      since: '1970-01-01T00:00:02.000Z',
      reason: why,
      restart_needed: false,
    },
    test_calls: false,
  })
  expect(read.headers.get('etag')).toBe(headers.get('etag'))
  server.states.set(body.uuid, { is: 'down', since: 3_000, because: 'closed', document })
  const later = await server.anna.request('GET', address)
  expect(later.body.status).toMatchObject({ pbx: 'down', reason: 'closed' })
})

test('a PBX that somebody else configures takes no document', async () => {
  const connection = { kind: 'asterisk_attached', cel_path: '/var/log/cel.csv' }
  const { address } = await createService('foreign', { ...managed('foreign'), connection })
  const reply = await server.anna.request('PUT', `${address}/pbx`, { body: { name: 'foreign' } })
  expect(reply.body.code).toMatch(/not_managed|invalid_input/)
})

test('capture of an attached PBX begins at its creation, not at the opening of its file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-record-'))
  const paths = { celPath: join(folder, 'cel.csv'), queueLogPath: null }
  const trace = join(tracesFolder, '01-inbound-answered-caller-hangup', 'cel.csv')
  const rows = await readFile(trace, 'utf8')
  try {
    await writeFile(paths.celPath, rows)
    const { body } = await createService('from-now-on', {
      name: 'from-now-on',
      friendly_name: 'Attached',
      connection: { kind: 'asterisk_attached', cel_path: paths.celPath },
    })
    await appendFile(paths.celPath, rows.slice(0, rows.indexOf('\n') + 1))
    const { cursor } = await readCapture(server.store, body.uuid)
    const record = asteriskRecord({ ...paths, beginAt: 'end', rotate: null })
    const read = await record.read(await record.resume(JSON.parse(cursor ?? '{}').record))
    expect(read).toMatchObject({ remarks: [], more: false })
    expect(read.rows).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true })
  }
})
