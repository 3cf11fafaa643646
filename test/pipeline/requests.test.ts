/** What the settings of a request do, from the store to the receiver and into the log. */
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { WebhookChange } from '#contracts/webhook/webhook.ts'
import { changeAccountSettings } from '#server/store/account-settings.ts'
import { changeWebhook } from '#server/store/webhooks.ts'
import { oneWebhook } from './one-webhook.ts'

const ended = eventSamples['call.ended']
const mapped = {
  style: 'mapped',
  fields: [
    { key: 'id', field: 'Call UUID' },
    { key: 'bridged', field: 'bridged' },
  ],
}

test('a mapped payload arrives signed, and the log keeps its bytes', async () => {
  await using one = await oneWebhook({ payload: mapped })
  const request = await one.send(ended)
  expect(JSON.parse(request.body.toString())).toEqual({ id: ended.call.uuid, bridged: true })
  expect(request.verified).toBe(true)
  expect(await one.lastAttempt()).toMatchObject({ ok: true, request_body: request.body.toString() })
})

test('GET carries the values in the query, with the one of the URL, and no body', async () => {
  await using one = await oneWebhook({ method: 'GET', payload: mapped }, { path: '?key=1' })
  const request = await one.send(ended)
  expect(request).toMatchObject({
    method: 'GET',
    path: `/?key=1&id=${ended.call.uuid}&bridged=True`,
    verified: true,
  })
  expect(request.body).toHaveLength(0)
  expect(request.headers).not.toHaveProperty('content-type')
})

test.each(['PUT', 'PATCH', 'POST'])('%s carries a form', async (method) => {
  await using one = await oneWebhook({ method, format: 'form', payload: mapped })
  const request = await one.send(ended)
  expect(request).toMatchObject({ method, verified: true })
  expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
  expect(request.body.toString()).toBe(`id=${ended.call.uuid}&bridged=True`)
})

test('path arguments, headers and authentication arrive; the log does not show the secrets', async () => {
  await using one = await oneWebhook({
    path_arguments: ['calls', '{{ Call UUID }}'],
    authentication: { type: 'token', token: 's3cret-t0ken', header: 'X-Whoever', prefix: '' },
    headers: [
      { name: 'X-Caller', value: '{{ src }}' },
      { name: 'X-Mine', value: 'hidden-value', secret: true },
    ],
    signed: false,
  })
  const request = await one.send(ended)
  expect(request.path).toBe(`/calls/${ended.call.uuid}`)
  expect(request.headers).toMatchObject({
    'x-whoever': 's3cret-t0ken',
    'x-mine': 'hidden-value',
    'x-caller': ended.call.source.raw,
  })
  expect(request.headers).not.toHaveProperty('webhook-signature')
  const attempt = await one.lastAttempt()
  expect(attempt.request_headers).toMatchObject({
    'x-caller': ended.call.source.raw,
    'x-whoever': '***',
    'x-mine': '***',
  })
  expect(JSON.stringify(attempt)).not.toMatch(/s3cret|hidden-value/)
})

test('a change counts for the next event', async () => {
  await using one = await oneWebhook({ payload: mapped })
  await one.send(ended)
  const change = WebhookChange.parse({ payload: { style: 'native' }, method: 'PUT' })
  await changeWebhook(one.store, one.tenant.account.id, one.webhook.id, change, Date.now())
  const request = await one.send({ ...ended, id: 'evt_another' })
  expect(request).toMatchObject({ method: 'PUT', event: { id: 'evt_another' } })
})

test('own names for hangup causes: those of the account at once, those of the webhook before them', async () => {
  await using one = await oneWebhook({ hangup_causes: { Busy: 'ENGAGED' } })
  await using other = await oneWebhook({})
  const causeOf = async (webhook: typeof one, id: string) => {
    const { event } = await webhook.send({ ...ended, id })
    return (event as typeof ended).call.hangup.cause
  }
  expect(await causeOf(other, 'evt_1')).toBe('Answered')
  for (const { store, tenant } of [one, other]) {
    await changeAccountSettings(store, tenant.account.id, {
      hangup_causes: { Answered: 'OK', Busy: 'BUSY' },
    })
  }
  expect(await causeOf(other, 'evt_2')).toBe('OK')
  expect(await causeOf(one, 'evt_3')).toBe('OK')
  expect((await other.lastAttempt()).request_body).toContain('"cause":"OK"')
  const busy = { ...ended.call, hangup: { ...ended.call.hangup, cause: 'Busy' as const } }
  const { event } = await one.send({ ...ended, id: 'evt_4', call: busy })
  expect(event).toMatchObject({ call: { hangup: { cause: 'ENGAGED' } } })
  await changeAccountSettings(other.store, other.tenant.account.id, { hangup_causes: {} })
  expect(await causeOf(other, 'evt_5')).toBe('Answered')
})

test('headers that are secret by their names only are hidden where a receiver repeats them, too', async () => {
  const headers = [
    { name: 'Authorization', value: 'Bearer zzzzzzzz' },
    { name: 'X-Api-Key', value: 'kkkkkkkkkk', secret: false },
  ]
  await using one = await oneWebhook({ headers })
  one.receiver.respond((request) => ({ status: 200, body: JSON.stringify(request.headers) }))
  const { headers: sent } = await one.send(ended)
  expect(sent).toMatchObject({ authorization: 'Bearer zzzzzzzz', 'x-api-key': 'kkkkkkkkkk' })
  const attempt = await one.lastAttempt()
  expect(attempt.response_body).toContain('"x-api-key":"***"')
  expect(JSON.stringify(attempt)).not.toMatch(/zzzz|kkkk/)
})

test('whatever form a receiver repeats secrets in, the log does not have them', async () => {
  const key = 'q83/vJk2/Lm+9w=="s3kr1t'
  const escaped = JSON.stringify(key).slice(1, -1).replaceAll('/', '\\/')
  await using one = await oneWebhook({
    authentication: { type: 'token', prefix: 'My Scheme', token: 't0ken-alone' },
    headers: [
      { name: 'X-Api-Key', value: key },
      { name: 'Cookie', value: 'session=abcdefghijk; other=lmnopqrst' },
    ],
    retries: 0,
  })
  one.receiver.respond(() => ({
    status: 302,
    headers: {
      location: `https://crm.example/${'x'.repeat(163)}?q=${encodeURIComponent(key)}`,
      'x-seen-T0ken-Alone': `sid=abcdefghijk, ${btoa(key)}`,
    },
    body: `{"key":"${escaped}","token":"t0ken-alone","other":"LMNOPQRST","ok":1}`,
  }))
  const attempt = await one.deliver(ended)
  expect(attempt).toMatchObject({
    error: 'redirect',
    error_detail: expect.stringContaining('x?q=***…; redirects are not followed'),
    response_headers: { 'x-seen-***': 'sid=***, ***' },
    response_body: '{"key":"***","token":"***","other":"***","ok":1}',
  })
  expect(JSON.stringify(attempt)).not.toMatch(/q83|s3kr1t|t0ken|abcdefg|lmnopq/i)
})

test('a receiver that repeats the token where the log cuts its answer does not bring a part of it into the log', async () => {
  const token = 's3cret-t0ken-of-a-receiver'
  await using one = await oneWebhook({ authentication: { type: 'token', token } })
  const before = 'x'.repeat(65_536 - 12)
  one.receiver.respond(({ headers }) => ({
    status: 400,
    body: `${before}${headers.authorization?.replace('Bearer ', '')}`,
  }))
  const attempt = await one.deliver(ended)
  expect(attempt.response_truncated).toBe(true)
  expect(attempt.response_body).toBe(`${before}***`)
})

test('a template with a loop, made in a process of its own, arrives signed; one without end is an attempt without a request', async () => {
  await using one = await oneWebhook({
    payload: {
      style: 'template',
      template: '[{% for leg in legs %}"{{ leg.name }}",{% endfor %}{{ call.duration | json }}]',
    },
  })
  const request = await one.send(ended)
  expect(request.verified).toBe(true)
  expect(JSON.parse(request.body.toString())).toEqual([
    ...ended.legs.map(({ name }) => name),
    ended.call.duration,
  ])
  await changeWebhook(
    one.store,
    one.tenant.account.id,
    one.webhook.id,
    WebhookChange.parse({
      payload: {
        style: 'template',
        template:
          '{% assign a = (1..1000) %}{% for i in a %}{% for j in a %}{% for k in a %}{% endfor %}{% endfor %}{% endfor %}',
      },
    }),
    0,
  )
  expect(await one.deliver({ ...ended, id: 'evt_endless' })).toMatchObject({
    ok: false,
    error: 'not_rendered',
    error_detail: 'The template failed: it took longer than 100 ms.',
  })
})

test('a template arrives signed; one that makes no JSON of an event is an attempt without a request', async () => {
  const template =
    '{"id": "{{ call.uuid }}", "who": "{{ call.source.name }}"{% if call.hangup.cause == "Busy" %}, oops{% endif %}}'
  await using one = await oneWebhook({
    method: 'PUT',
    payload: { style: 'template', template },
    retries: 1,
  })
  const request = await one.send(ended)
  expect(request).toMatchObject({ method: 'PUT', verified: true })
  expect(JSON.parse(request.body.toString())).toEqual({
    id: ended.call.uuid,
    who: ended.call.source.name,
  })
  expect(await one.lastAttempt()).toMatchObject({ ok: true, request_body: request.body.toString() })
  const busy = { ...ended.call, hangup: { ...ended.call.hangup, cause: 'Busy' as const } }
  await one.deliver({ ...ended, id: 'evt_busy', call: busy })
  expect(one.receiver.requests).toHaveLength(1)
  expect(await one.lastAttempt()).toMatchObject({
    ok: false,
    error: 'not_rendered',
    error_detail: expect.stringMatching(/^What the template made is not JSON/),
    decision: expect.stringMatching(/^Try 2 of 2 follows/),
    method: 'PUT',
    request_body: '',
    request_headers: {},
    status_code: null,
  })
})

test('the delay passes before the first try', async () => {
  await using one = await oneWebhook({ delay_seconds: 1 })
  const acceptedAt = performance.now()
  const request = await one.send(ended)
  expect(request.at - acceptedAt).toBeGreaterThanOrEqual(990)
})

test('the timeout is for the whole attempt', async () => {
  await using one = await oneWebhook({ timeout_seconds: 1, retries: 0 })
  one.receiver.setMode('stall')
  const attempt = await one.deliver(ended)
  expect(attempt).toMatchObject({ ok: false, error: 'timeout', status_code: null })
  expect(attempt.duration_ms).toBeGreaterThanOrEqual(990)
  expect(attempt.duration_ms).toBeLessThan(5_000)
})

test('as many tries follow as the webhook has retries', async () => {
  await using one = await oneWebhook({ retries: 1 })
  one.receiver.setMode('fail')
  expect(await one.deliver(ended)).toMatchObject({
    ok: false,
    status_code: 500,
    decision: expect.stringMatching(/^Try 2 of 2 follows/),
  })
})
