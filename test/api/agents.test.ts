/** The API that agents and their administrators see. Capture is played here: it asks as `pipeline/capture.ts` does. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AgentRecords, agentProtocol } from '#contracts/agent.ts'
import type { AttachedPbx } from '#server/pbx/pbx.ts'
import { type Api, type Reply, startApi } from '#test/api/start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

let uuid = ''
let token = ''
let pbx: AttachedPbx
let number = 0
beforeEach(async () => {
  number += 1
  const created = await server.anna.request('POST', '/api/v1/services', {
    body: {
      name: `branch${number}`,
      friendly_name: 'Branch',
      connection: { kind: 'asterisk_agent' },
    },
  })
  uuid = created.body.uuid
  token = (await server.anna.request('POST', `/api/v1/services/${uuid}/agent-token`)).body.token
  pbx = server.agents.open(uuid, [])
})

const asAgent = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  server.anna.request('POST', `/api/v1/agent/${path}`, {
    body,
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
const hello = { protocol: agentProtocol, version: '1.2.3' }

const records = (session: string, more: Partial<AgentRecords>): AgentRecords => ({
  ...{ session, after: '', cursor: '', rows: [], more: false, remarks: [] },
  ...{ clock: null, leaving: false, ...more },
})

const row: AgentRecords['rows'][number] = {
  kind: 'cel',
  ...{ type: 'CHAN_START', mark: '', at: 1_795_359_620_458.8, callerName: 'Anna' },
  ...{ callerNumber: '030', extension: '1001', context: 'from-trunk', channel: 'PJSIP/trunk-0' },
  ...{ app: '', appData: '', uniqueId: 'pbx1-1.0', linkedId: 'pbx1-1.0', peer: '', extra: {} },
}

async function connected(): Promise<string> {
  await pbx.record.resume(null)
  return (await asAgent('connect', hello)).body.session
}

describe('the token', () => {
  test('opens shipping, and nothing else; another one voids it', async () => {
    expect(token).toMatch(/^oha_/)
    const stored = await server.store.read.selectFrom('service').selectAll().execute()
    expect(JSON.stringify(stored)).not.toContain(token)
    const headers = { authorization: `Bearer ${token}` }
    const reply = await server.anna.request('GET', '/api/v1/services', { headers })
    expect(reply.body.code).toBe('unauthorized')
    await pbx.record.resume(null)
    expect((await asAgent('connect', hello)).status).toBe(200)
    await server.anna.request('POST', `/api/v1/services/${uuid}/agent-token`)
    const after = await asAgent('connect', hello)
    expect(after.body).toMatchObject({ status: 401, code: 'agent_unauthorized' })
    expect(after.headers.get('www-authenticate')).toBe('Bearer')
  })

  test('an API key is none, nor is the token of another customer’s service', async () => {
    const { key } = server.anna
    const reply = await asAgent('connect', hello, { authorization: `Bearer ${key}` })
    expect(reply.body.code).toBe('agent_unauthorized')
    const path = `/api/v1/services/${uuid}/agent-token`
    expect((await server.bert.request('POST', path)).body.code).toBe('not_found')
  })

  test('a PBX that is reached otherwise has none, and loses the one it had', async () => {
    const connection = { kind: 'asterisk_attached', cel_path: '/var/log/cel.csv' }
    await server.anna.request('PATCH', `/api/v1/services/${uuid}`, { body: { connection } })
    expect((await asAgent('connect', hello)).body.code).toBe('agent_unauthorized')
    const reply = await server.anna.request('POST', `/api/v1/services/${uuid}/agent-token`)
    expect(reply.body).toMatchObject({ status: 409, code: 'no_agent' })
  })
})

test('before capture has begun, and after it has ended, an agent is told to come again', async () => {
  expect((await asAgent('connect', hello)).body).toMatchObject({ code: 'agent_elsewhere' })
  const session = await connected()
  await pbx.link?.close()
  expect((await asAgent('connect', hello)).body).toMatchObject({ code: 'agent_elsewhere' })
  const reply = await asAgent('records', records(session, { cursor: 'a' }))
  expect(reply.body).toMatchObject({ status: 409, code: 'agent_behind' })
})

describe('a shipment', () => {
  test('is answered when it is committed, and not before', async () => {
    const session = await connected()
    const grown = Promise.withResolvers<void>()
    pbx.record.watch(grown.resolve, new AbortController().signal)
    let answered: Reply | null = null
    const answer = asAgent('records', records(session, { cursor: 'a', rows: [row] })).then(
      (reply) => {
        answered = reply
      },
    )
    await grown.promise
    const batch = await pbx.record.read('')
    expect(batch).toMatchObject({ rows: [row], cursor: 'a', more: true })
    // As after a commit that failed: the same again, and no answer.
    expect(await pbx.record.read('')).toMatchObject({ rows: [row], cursor: 'a' })
    expect(answered).toBeNull()
    expect(await pbx.record.read('a')).toMatchObject({ rows: [], cursor: 'a', more: false })
    await answer
    expect(answered).toMatchObject({ status: 200, body: { cursor: 'a' } })
  })

  test('that goes on from elsewhere changes nothing', async () => {
    const session = await connected()
    await pbx.record.read('a')
    const reply = await asAgent(
      'records',
      records(session, { after: '', cursor: 'b', rows: [row] }),
    )
    expect(reply.body).toMatchObject({ status: 409, code: 'agent_behind' })
    expect(await pbx.record.read('a')).toMatchObject({ rows: [], cursor: 'a' })
  })

  test('of an agent that another one has replaced changes nothing', async () => {
    const session = await connected()
    await connected()
    const reply = await asAgent('records', records(session, { cursor: 'b', rows: [row] }))
    expect(reply.body).toMatchObject({ status: 409, code: 'agent_replaced' })
    expect(await pbx.record.read('')).toMatchObject({ rows: [], cursor: '' })
  })

  test('may be compressed; one that unpacks to too much is refused', async () => {
    const session = await connected()
    const send = async (body: Buffer, encoding = 'gzip') =>
      await fetch(`${server.url}/api/v1/agent/records`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-encoding': encoding,
        },
        body: new Uint8Array(body),
      })
    const sign = JSON.stringify(records(session, {}))
    expect((await send(gzipSync(sign))).status).toBe(200)
    expect((await send(Buffer.from(sign))).status).toBe(400)
    expect((await send(gzipSync(sign).subarray(0, 40))).status).toBe(400)
    expect((await send(gzipSync(sign), 'br')).status).toBe(415)
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20))
    expect(bomb.length).toBeLessThan(100_000)
    expect((await send(bomb)).status).toBe(413)
    expect((await send(gzipSync(sign))).status).toBe(200)
  })

  test('with a row of another shape is refused as a whole', async () => {
    const session = await connected()
    const wrong = { ...row, at: 'now' as unknown as number }
    const reply = await asAgent('records', records(session, { cursor: 'b', rows: [row, wrong] }))
    expect(reply.body).toMatchObject({ code: 'invalid_input', errors: [{ field: 'rows[1].at' }] })
  })
})

test('of what agents send, only what went wrong is in the log', async () => {
  const path = '/api/v1/agent/records'
  const lines = () => server.log().filter((line) => line.path === path)
  const before = lines().length
  const session = await connected()
  await asAgent('records', records(session, {}))
  expect(lines()).toHaveLength(before)
  await asAgent('records', records(session, { after: 'elsewhere', cursor: 'elsewhere' }))
  expect(lines().slice(before)).toMatchObject([{ status: 409, msg: 'request' }])
})

test('the service shows its agent', async () => {
  const agentOf = async () =>
    (await server.anna.request('GET', `/api/v1/services/${uuid}`)).body.status.agent
  expect(await agentOf()).toMatchObject({ connected: false, version: null, clock: null })
  const session = await connected()
  expect(await agentOf()).toMatchObject({ connected: true, version: '1.2.3', caught_up: false })
  const clock = { offset_ms: 1_500, round_trip_ms: 4 }
  await asAgent('records', records(session, { clock }))
  expect(await agentOf()).toMatchObject({ connected: true, caught_up: true, clock })
  await asAgent('records', records(session, { leaving: true }))
  expect(await agentOf()).toMatchObject({ connected: false, caught_up: false, clock })
})
