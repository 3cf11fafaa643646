import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { api, type RouteName } from '#contracts/api.ts'
import type { Route } from '#contracts/route.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const routes = Object.entries(api) as [RouteName, Route][]
const guarded = routes.filter(([, route]) => route.guard === 'api_key')

/** An address of the route with ids that are well formed and name nothing. */
const addressOf = (route: Route) =>
  route.path
    .replace(':uuid', '6a1f8f0e-0f52-4b0e-9df0-0f4f6a1b2c3d')
    .replace(
      ':id',
      route.path.includes('/webhooks/')
        ? 'wh_0'
        : route.path.includes('/events/')
          ? 'evt_0'
          : 'dlv_0',
    )

async function raw(request: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.end(request)
  return await text(socket)
}

describe('who may call', () => {
  test.each(guarded)('%s needs a key', async (_, route) => {
    for (const authorization of ['', 'Bearer ', 'Bearer ohk_wrong', `Basic ${server.anna.key}`]) {
      const reply = await server.anna.request(route.method, addressOf(route), {
        headers: { authorization },
      })
      expect(reply.status).toBe(401)
      expect(reply.body.code).toBe('unauthorized')
      expect(reply.headers.get('www-authenticate')).toBe('Bearer')
    }
  })

  test.each(guarded.filter(([, route]) => route.problems.includes('not_found')))(
    '%s of an id that names nothing is 404',
    async (_, route) => {
      const bodies: Record<string, object> = {
        'test-calls': { from: '201', to: '202' },
        'client-certificate': { certificate: 'x', private_key: 'x' },
        preview: { trigger: 'call.ended', webhook_id: 'wh_0' },
        test: { trigger: 'call.ended' },
        'rotate-secret': {},
        recover: { since: '2026-11-22T09:00:00.000Z' },
        'replay-missing': { since: '2026-11-22T09:00:00.000Z' },
      }
      const body = bodies[route.path.split('/').at(-1) ?? ''] ?? { name: 'x' }
      const given =
        route.method === 'PATCH'
          ? { body: {} }
          : route.body instanceof z.ZodUndefined
            ? {}
            : { body }
      const reply = await server.anna.request(route.method, addressOf(route), given)
      expect(reply.body).toMatchObject({ status: 404, code: 'not_found' })
    },
  )

  test('the scheme is read in any case', async () => {
    const headers = { authorization: `bearer ${server.anna.key}` }
    expect((await server.anna.request('GET', '/api/v1/services', { headers })).status).toBe(200)
  })
})

describe('what is no request of ours', () => {
  test('an unknown address', async () => {
    const reply = await server.anna.request('GET', '/api/v1/nothing')
    expect(reply.body).toMatchObject({ status: 404, code: 'route_not_found' })
  })

  test('an id that cannot exist names nothing', async () => {
    const reply = await server.anna.request('GET', '/api/v1/services/not-a-uuid')
    expect(reply.body).toMatchObject({ status: 404, code: 'not_found' })
  })

  test('a wrong method is told with those that there are', async () => {
    const reply = await server.anna.request('DELETE', '/api/v1/webhooks')
    expect(reply.body).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(reply.headers.get('allow')).toBe('POST, GET')
  })

  test.each(['QUERY', 'PROPFIND', 'OPTIONS'])('the method %s is one of those', async (method) => {
    const reply = await raw(
      `${method} /api/v1/webhooks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    )
    expect(reply).toMatch(/^HTTP\/1\.1 405 .*\r\nallow: POST, GET\r\n.*"method_not_allowed"/s)
  })

  test('a body that is no JSON is told where', async () => {
    const { body } = await server.anna.request('POST', '/api/v1/webhooks', {
      body: '{"name": "CRM",}',
    })
    expect(body.detail).toMatch(/^The body is not JSON: .*line 1 column 16/)
  })

  test.each([
    ['half a JSON text', '{"name": ', 'invalid_json', 400],
    ['nothing', '', 'invalid_json', 400],
    ['a prototype', '{"name": "x", "__proto__": {"a": 1}}', 'invalid_json', 400],
    ['more than 1 MiB', `{"name": "${'x'.repeat(1024 * 1024)}"}`, 'body_too_large', 413],
    ['a text', '"text"', 'invalid_input', 422],
    ['null', 'null', 'invalid_input', 422],
  ])('a body of %s', async (_, body, code, status) => {
    const reply = await server.anna.request('POST', '/api/v1/webhooks', { body })
    expect(reply.body).toMatchObject({ status, code })
  })

  test('a body that is not declared as JSON', async () => {
    const reply = await server.anna.request('POST', '/api/v1/webhooks', {
      body: 'name=x',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(reply.body).toMatchObject({ status: 415, code: 'unsupported_media_type' })
  })

  test('a body that is not UTF-8', async () => {
    const response = await fetch(`${server.url}/api/v1/webhooks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.anna.key}`, 'content-type': 'application/json' },
      body: Buffer.from('{"name": "caf\xe9"}', 'latin1'),
    })
    expect(await response.json()).toMatchObject({ code: 'invalid_json', detail: /UTF-8/ })
  })

  test('all wrong fields of query and body are told at once', async () => {
    const reply = await server.anna.request('POST', '/api/v1/webhooks', {
      body: { name: '', url: 'x', triggers: ['nope'], retires: 3 },
    })
    expect(reply.body.errors.map((e: { field: string }) => e.field).toSorted()).toEqual([
      'name',
      'retires',
      'triggers[0]',
      'url',
    ])
    const list = await server.anna.request('GET', '/api/v1/deliveries?limit=0&stat=pending')
    expect(list.body).toMatchObject({
      code: 'invalid_input',
      errors: [
        { field: 'limit', code: 'too_small' },
        { field: 'stat', code: 'unknown_field', message: 'did you mean "state"?' },
      ],
    })
  })

  test('what is not HTTP gets a problem, too', async () => {
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*"code":"invalid_request"/s)
    const long = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`
    expect(await raw(long)).toMatch(/^HTTP\/1.1 431 .*"code":"headers_too_large"/s)
    expect(await raw('GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 .*"code":"invalid_request"/s,
    )
  })

  test.each(['/api/v1/services', '/api/v1/webhooks', '/api/v1/deliveries', '/api/v1/events'])(
    '%s refuses a cursor that is not its own',
    async (path) => {
      const reply = await server.anna.request('GET', `${path}?cursor=bm9wZQ`)
      expect(reply.body).toMatchObject({ status: 400, code: 'invalid_cursor' })
    },
  )
})

describe('what every reply and every log line has', () => {
  test('the request id of the reply is that of one log line, which holds no secret', async () => {
    const path = '/api/v1/deliveries?call_uuid=7c7a2a0e-3c51-4b43-9a45-6f7f4b0f3a77'
    const reply = await server.anna.request('GET', path)
    const id = reply.headers.get('x-request-id')
    const lines = server.log().filter((line) => line.request_id === id)
    expect(lines).toEqual([
      expect.objectContaining({
        method: 'GET',
        path: '/api/v1/deliveries',
        status: 200,
        account: server.anna.account.id,
      }),
    ])
    const written = JSON.stringify(server.log())
    expect(written).not.toContain(server.anna.key)
    expect(written).not.toContain('7c7a2a0e')
  })

  test('replies are not cached by others and not guessed at', async () => {
    const { headers } = await server.anna.request('GET', '/api/v1/services')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('health', () => {
  test('healthz and readyz need no key; readyz says when the parts are not open', async () => {
    const headers = { authorization: '' }
    expect((await server.anna.request('GET', '/healthz', { headers })).body).toEqual({
      status: 'ok',
    })
    expect((await server.anna.request('GET', '/readyz', { headers })).body).toEqual({
      status: 'ok',
      node: server.store.node,
      services: [],
    })
    server.setOpen(false)
    try {
      expect((await server.anna.request('GET', '/readyz', { headers })).body).toMatchObject({
        status: 503,
        code: 'not_ready',
      })
    } finally {
      server.setOpen(true)
    }
  })

  test('readyz says that the database takes no writes, and nothing of the machine', async () => {
    const { store } = server
    await sql`pragma query_only = on`.execute(store.write)
    const ready = () => server.anna.request('GET', '/readyz')
    try {
      const refused = await waitUntil(
        async () => {
          const reply = await ready()
          return reply.status === 503 ? reply : null
        },
        { what: 'it is told' },
      )
      expect(refused.body).toMatchObject({
        code: 'not_ready',
        detail: expect.stringMatching(/writes/),
      })
      expect(JSON.stringify(refused.body)).not.toContain('offhook.db')
    } finally {
      await sql`pragma query_only = off`.execute(store.write)
    }
    await waitUntil(async () => (await ready()).status === 200, { what: 'it is ready again' })
  })

  test('the OpenAPI document describes every route', async () => {
    const { body } = await server.anna.request('GET', '/api/openapi.json')
    for (const [, route] of routes) {
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
      expect(body.paths[path]).toHaveProperty(route.method.toLowerCase())
    }
  })
})
