import { describe, expect, test } from 'vitest'
import { type Event, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { CustomHeaders } from '#contracts/webhook/headers.ts'
import { Payload } from '#contracts/webhook/payload.ts'
import { plainRequest, type RequestSettings } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'

const url = 'https://crm.example.com/hooks'

const requestOf = (
  settings: Partial<RequestSettings>,
  event: Event = eventSamples['call.ended'],
  to = url,
) => prepareRequests(to, { ...plainRequest, ...settings }, '1.2.3').render(nativeBody(event))

const mapped = (fields: Record<string, string>, more: object = {}) =>
  Payload.parse({
    style: 'mapped',
    fields: Object.entries(fields).map(([key, field]) => ({ key, field })),
    ...more,
  })

test.each(eventTypes)(
  'the plain request of %s is a POST, byte for byte as it is stored',
  (type) => {
    const body = nativeBody(eventSamples[type])
    expect(requestOf({}, eventSamples[type])).toEqual({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json', 'user-agent': 'Offhook/1.2.3' },
      body,
    })
    expect(JSON.parse(body)).toEqual(eventSamples[type])
  },
)

describe('the mapped payload', () => {
  test('has chosen fields under request keys of one’s own, in their order', () => {
    const payload = mapped({ id: 'Call UUID', from: 'src', who: 'Name', seconds: 'bill_duration' })
    expect(requestOf({ payload }).body).toBe(
      '{"id":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001","from":"0288881234","who":"Alice","seconds":266}',
    )
  })

  test('has null for what the event does not have, or leaves it out', () => {
    const fields = { option: 'Option Selected', status: 'status', talker: 'Talker' }
    const event = eventSamples['call.inbound.received']
    expect(requestOf({ payload: mapped(fields) }, event).body).toBe(
      '{"option":null,"status":null,"talker":false}',
    )
    const omitting = mapped(fields, { absent: 'omit' })
    expect(requestOf({ payload: omitting }, event).body).toBe('{"talker":false}')
  })

  test('keeps the order of keys that are numbers, too', () => {
    const inOrder = (keys: readonly string[], nested: boolean) => {
      const names = ['src', 'Talker', 'Call type']
      const fields = keys.map((key, i) => ({ key, field: names[i] }))
      return Payload.parse({ style: 'mapped', fields, nested })
    }
    const payload = inOrder(['b', '2', '1'], false)
    expect(requestOf({ payload }).body).toBe('{"b":"0288881234","2":true,"1":"inbound"}')
    const nested = inOrder(['z.b', 'a', 'z.1'], true)
    expect(requestOf({ payload: nested }).body).toBe(
      '{"z":{"b":"0288881234","1":"inbound"},"a":true}',
    )
  })

  test('with the values of an event it has 256 KiB at most', () => {
    const { call, ...event } = eventSamples['call.ended']
    const long = {
      ...event,
      call: { ...call, source: { ...call.source, name: 'x'.repeat(9_000) } },
    }
    const fields = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`k${i}`, 'caller_name']),
    )
    for (const format of ['json', 'form'] as const) {
      expect(() => requestOf({ payload: mapped(fields), format }, long)).toThrow(/256 KiB/)
    }
  })

  test('nests by dots where that is wanted', () => {
    const fields = { 'caller.number': 'src', 'caller.name': 'caller_name', id: 'uniqueid' }
    expect(JSON.parse(requestOf({ payload: mapped(fields) }).body)).toHaveProperty([
      'caller.number',
    ])
    expect(JSON.parse(requestOf({ payload: mapped(fields, { nested: true }) }).body)).toEqual({
      caller: { number: '0288881234', name: 'Anna' },
      id: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001',
    })
  })

  test('has text of one’s own, with fields in it', () => {
    const payload = Payload.parse({
      style: 'mapped',
      fields: [
        { key: 'source', value: 'offhook' },
        { key: 'title', value: 'Call from {{ src }} to {{ Destination Number }}' },
      ],
    })
    expect(JSON.parse(requestOf({ payload }).body)).toEqual({
      source: 'offhook',
      title: 'Call from 0288881234 to 1002',
    })
  })

  test('a request key may be any text, __proto__ too', () => {
    const payload = mapped({ __proto__x: 'src' })
    const named = { ...payload, fields: [{ key: '__proto__', field: 'call.uuid', value: null }] }
    expect(requestOf({ payload: named as Payload }).body).toBe(
      '{"__proto__":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001"}',
    )
  })

  test.each([
    ['iso8601', 'UTC', '2026-11-22T20:14:41.205Z'],
    ['iso8601', 'Australia/Sydney', '2026-11-23T07:14:41.205+11:00'],
    ['unix', 'UTC', 1795378481],
    ['unix_ms', 'UTC', 1795378481205],
    ['yyyy-MM-dd HH:mm:ss', 'Australia/Sydney', '2026-11-23 07:14:41'],
    ['dd/MM/yy h:mm a', 'UTC', '22/11/26 8:14 PM'],
  ])('times as %s in %s', (time_format, time_zone, expected) => {
    const payload = mapped({ at: 'start_at', end: 'call.ended_at' }, { time_format, time_zone })
    expect(JSON.parse(requestOf({ payload }, eventSamples['ivr.received']).body)).toEqual({
      at: expected,
      end: null,
    })
  })
})

describe('formats', () => {
  const payload = mapped({
    talker: 'Talker',
    voicemail: 'Has Voicemail',
    calls: 'Enabled Calls',
    option: 'Option Selected',
    name: 'caller_name',
    diverted: 'call.diverted_to',
  })
  const text =
    'talker=True&voicemail=True&calls=Local%2CNational%2CMobile&option=3&name=Anna&diverted='

  test('query: in the URL, switches as True and False, nothing as empty text', () => {
    expect(requestOf({ method: 'GET', format: 'query', payload })).toEqual({
      method: 'GET',
      url: `${url}?${text}`,
      headers: { 'user-agent': 'Offhook/1.2.3' },
      body: '',
    })
  })

  test.each([
    ['https://a.example/x?key=1', `https://a.example/x?key=1&${text}`],
    ['https://a.example/x?', `https://a.example/x?${text}`],
    ['https://a.example/x?a=1&', `https://a.example/x?a=1&${text}`],
  ])('query: joined to the one that %s has', (to, expected) => {
    const request = requestOf({ method: 'POST', format: 'query', payload }, undefined, to)
    expect(request.url).toBe(expected)
    expect(request.body).toBe('')
  })

  test('form: in the body', () => {
    const request = requestOf({ format: 'form', payload })
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(request.body).toBe(text)
    expect(request.url).toBe(url)
  })
})

describe('path arguments', () => {
  const named = (name: string): Event => {
    const event = eventSamples['call.ended']
    return { ...event, call: { ...event.call, source: { ...event.call.source, name } } }
  }
  const pathOf = (name: string, to = url) =>
    new URL(
      requestOf({ path_arguments: ['calls', '{{ call.source.name }}', 'end'] }, named(name), to)
        .url,
    ).pathname

  test('stand behind the path of the URL, before its query', () => {
    const request = requestOf(
      { path_arguments: ['{{ call.uuid }}'] },
      undefined,
      'https://a.example/x/?key=1',
    )
    expect(request.url).toBe('https://a.example/x/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001?key=1')
    expect(pathOf('Anna', 'https://a.example')).toBe('/calls/Anna/end')
  })

  test.each(['..', '.', '../..', '/', '..\\..', '%2e%2e', '?x=1', '#x', '\u0000', '\ud800', ' '])(
    'a caller called %j does not leave the path',
    (name) => {
      const path = pathOf(name)
      expect(path.startsWith('/hooks/calls/')).toBe(true)
      expect(path.endsWith('/end')).toBe(true)
      expect(path.split('/')).toHaveLength(5)
    },
  )

  test.each([
    '../../admin',
    '..\\..\\admin',
    '../../../..',
    'a/../../../b',
    './..',
    'a/..',
    '../a',
    '/../',
    '..',
    '\\..',
    '.../..',
  ])('nor does %j where the receiver decodes before it looks for steps, as nginx does', (name) => {
    const steps = decodeURIComponent(pathOf(name)).split(/[/\\]/)
    expect(steps.slice(0, 3)).toEqual(['', 'hooks', 'calls'])
    expect(steps).not.toContain('..')
    expect(steps).not.toContain('.')
  })

  test('dots that are no steps stay as they are', () => {
    expect(pathOf('J. R. ... 1.5/2')).toBe('/hooks/calls/J.%20R.%20...%201.5%2F2/end')
  })

  test('a URL longer than servers take is not sent', () => {
    const long = named('x'.repeat(3_000))
    const path_arguments = Array.from({ length: 3 }, () => '{{ call.source.name }}')
    expect(() => requestOf({ path_arguments }, long)).toThrow(
      /the URL has 90\d\d characters, 8192 at most/,
    )
  })

  test('without a value there is a dash, and the rest stays in place', () => {
    expect(pathOf('')).toBe('/hooks/calls/-/end')
  })
})

describe('headers', () => {
  const event = eventSamples['call.ended']
  const headersOf = (settings: Partial<RequestSettings>, name = 'Anna') =>
    requestOf(settings, {
      ...event,
      call: { ...event.call, source: { ...event.call.source, name } },
    }).headers

  test('of one’s own, with fields', () => {
    const headers = CustomHeaders.parse([
      { name: 'X-Caller', value: '{{ src }} ({{ caller_name }})' },
    ])
    expect(headersOf({ headers })['x-caller']).toBe('0288881234 (Anna)')
  })

  test('what a caller chose cannot end one', () => {
    const headers = CustomHeaders.parse([{ name: 'X-Caller', value: '{{ caller_name }}' }])
    expect(headersOf({ headers }, 'a\r\nX-Evil: 1')['x-caller']).toBe('a%0D%0AX-Evil: 1')
    expect(headersOf({ headers }, 'Zoë 100 %')['x-caller']).toBe('Zo%C3%AB 100 %25')
  })

  test.each([
    [{ type: 'basic', username: 'zoë', password: 'p:w' }, 'authorization', 'Basic em/DqzpwOnc='],
    [
      { type: 'token', token: 't0k', header: 'Authorization', prefix: 'Bearer' },
      'authorization',
      'Bearer t0k',
    ],
    [{ type: 'token', token: 't0k', header: 'X-Api-Key', prefix: '' }, 'x-api-key', 't0k'],
    [{ type: 'pbx_token', token: 't0k' }, 'x-pbx-token', 't0k'],
  ] as const)('authentication %j', (authentication, name, value) => {
    expect(headersOf({ authentication })[name]).toBe(value)
  })

  test('says which of them the log must not show', () => {
    const { secretHeaders } = prepareRequests(
      url,
      {
        ...plainRequest,
        authentication: { type: 'token', token: 't', header: 'X-Who', prefix: '' },
        headers: [
          { name: 'X-Mine', value: '1', secret: true },
          { name: 'X-Open', value: '2', secret: false },
        ],
      },
      '1.2.3',
    )
    expect([...secretHeaders].sort()).toEqual(['x-mine', 'x-who'])
  })
})

describe('own names for hangup causes', () => {
  const hangup_causes = { Answered: 'ANSWER', 'No Answer': 'NO ANSWER' }

  test('in the native event, which stays the same else', () => {
    const event = eventSamples['call.ended']
    const { body } = requestOf({ hangup_causes })
    expect(body).toBe(nativeBody(event).replace('"cause":"Answered"', '"cause":"ANSWER"'))
    const missed = requestOf({ hangup_causes }, eventSamples['call.missed'])
    expect(JSON.parse(missed.body).call.hangup.cause).toBe('NO ANSWER')
  })

  test('in chosen fields, headers and path arguments', () => {
    const request = requestOf({
      hangup_causes,
      payload: mapped({ why: 'hangup_cause' }),
      headers: CustomHeaders.parse([{ name: 'X-Why', value: '{{ hangup_cause }}' }]),
      path_arguments: ['{{ call.hangup.cause }}'],
    })
    expect(request).toMatchObject({
      url: `${url}/ANSWER`,
      headers: { 'x-why': 'ANSWER' },
      body: '{"why":"ANSWER"}',
    })
  })

  test('one that is not named keeps its own; an event without one is as it is stored', () => {
    const causes = { Busy: 'ENGAGED' }
    expect(requestOf({ hangup_causes: causes }).body).toBe(nativeBody(eventSamples['call.ended']))
    const event = eventSamples['ivr.received']
    expect(requestOf({ hangup_causes: causes }, event).body).toBe(nativeBody(event))
  })
})
