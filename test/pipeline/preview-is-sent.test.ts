/** What a preview shows is what goes out: for any settings, against the bytes that a receiver gets. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { WebhookChange, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { previewRequest } from '#server/domain/preview.ts'
import { getEvent } from '#server/store/events.ts'
import { changeWebhook } from '#server/store/webhooks.ts'
import { startSalesforce } from '#test/support/salesforce-server.ts'
import { annaId, connectedTo, ended, person } from './connected-salesforce.ts'
import { oneWebhook } from './one-webhook.ts'

const sample = eventSamples['user.inbound.completed']
const trigger = sample.type

const fieldText = fc.constantFrom(
  'fixed',
  'ä b/c?d#e&f',
  '{{ call.uuid }}',
  'x-{{ Source Number }}-y',
  '..',
)
const payload = fc.oneof(
  fc.constant({ style: 'native' }),
  fc.constant({ style: 'phone-cloud' }),
  fc.constant({ style: 'cloudevents' }),
  fc.constantFrom(
    { style: 'template', template: '{"id": "{{ call.uuid }}", "who": {{ user.name | json }}}' },
    { style: 'template', template: '{% for i in (1..3) %}{{ i }}{% endfor %}' },
  ),
  fc.record({
    style: fc.constant('mapped'),
    nested: fc.boolean(),
    absent: fc.constantFrom('null', 'omit'),
    time_format: fc.constantFrom('iso8601', 'unix', 'dd.MM.yyyy HH:mm'),
    time_zone: fc.constantFrom('UTC', 'Australia/Sydney'),
    fields: fc.constant([
      { key: 'call.id', field: 'Call UUID' },
      { key: 'at', field: 'call.started_at' },
      { key: 'talker', field: 'call.talker' },
      { key: 'never', field: 'voicemail.mailbox' },
      { key: 'text', value: 'a&b={{ call.source.name }}' },
    ]),
  }),
)
const authentication = fc.constantFrom(
  { type: 'none' },
  { type: 'basic', username: 'offhook', password: 'pässword' },
  { type: 'token', token: 't0ken' },
  { type: 'token', token: 't0ken', header: 'X-Key', prefix: '' },
  { type: 'pbx_token', token: 't0ken' },
)
const settings = fc
  .record({
    method: fc.constantFrom('POST', 'GET', 'PUT', 'PATCH'),
    format: fc.constantFrom('json', 'query', 'form'),
    path_arguments: fc.array(fieldText, { maxLength: 3 }),
    headers: fc.array(
      fc.record({
        name: fc.constantFrom('X-One', 'X-Two', 'Accept'),
        value: fieldText,
        secret: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
    signed: fc.boolean(),
    authentication,
    payload,
  })
  .filter((given) => {
    const draft = { name: 'x', url: 'http://127.0.0.1/', triggers: [trigger], ...given }
    return WebhookDraft.safeParse(draft).success
  })

/** Those of the connection, and those that stand for a secret or a moment in the preview. */
const ofConnection = ['host', 'connection', 'content-length']
const ofMoment = ['webhook-timestamp', 'webhook-signature']

function comparable(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  hidden: readonly string[],
) {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !ofConnection.includes(name))
      .map(([name, value]) => [name, [...ofMoment, ...hidden].includes(name) ? 'differs' : value]),
  )
}

test('a preview is the request that is sent', { timeout: 60_000 }, async () => {
  await using one = await oneWebhook({ triggers: [trigger] }, { path: 'hook?key=1' })
  const { store, tenant, webhook } = one
  let number = 0
  await fc.assert(
    fc.asyncProperty(settings, async (given) => {
      number += 1
      const change = WebhookChange.parse(given)
      await changeWebhook(store, tenant.account.id, webhook.id, change, Date.now())
      const id = `evt_${number}`
      const sent = await one.send({ ...sample, id })
      const event = await getEvent(store, tenant.account.id, id)
      if (event === null) throw new Error('the event is not there')
      const draft = { name: 'x', url: webhook.url, triggers: [trigger], ...given }
      const request = WebhookDraft.parse(draft)
      const shown = previewRequest({ event, url: webhook.url, request, version: 'test', now: 0 })
      expect(sent.method).toBe(shown.method)
      expect(new URL(webhook.url).origin + sent.path).toBe(shown.url)
      expect(sent.body.toString()).toBe(shown.body)
      const hidden = Object.keys(shown.headers).filter(
        (name) => shown.headers[name] === hiddenSecret,
      )
      expect(comparable(sent.headers, hidden)).toEqual(comparable(shown.headers, hidden))
      const masks = Object.values(shown.headers).join(' ')
      expect(masks).not.toMatch(/t0ken|pässword|cMOkc3N3b3Jk/)
    }),
    { numRuns: 60 },
  )
})

test.each([
  {},
  {
    connector: {
      owners: { '201': '005000000000201AAA' },
      time_zone: 'Pacific/Auckland',
      subject: 'Call {{ Call UUID }} of {{ call.source.name }}',
      external_id_field: 'Our_Call__c',
    },
    hangup_causes: { Answered: 'TALKED' },
  },
])('Salesforce: a preview is the Task that is sent, but for whose it is: %j', async (given) => {
  await using salesforce = await startSalesforce()
  const { connector = {}, ...more } = given
  await using one = await connectedTo(salesforce, connector, more)
  const preview = async (id: string) => {
    const event = await getEvent(one.store, one.tenant.account.id, id)
    if (event === null) throw new Error('the event is not there')
    const { url } = one.webhook
    const draft = { name: 'x', url, triggers: ['call.ended'], connector: one.webhook.connector }
    const request = WebhookDraft.parse({ ...draft, ...more })
    return previewRequest({ event, url, request, version: 'test', now: 0 })
  }
  await one.deliver({ ...ended, id: 'evt_nobody' })
  const [sent] = salesforce.upserts
  const shown = await preview('evt_nobody')
  expect(sent).toMatchObject({ method: shown.method, url: shown.url, body: shown.body })
  expect(comparable(sent?.headers ?? {}, ['authorization'])).toEqual(
    comparable(shown.headers, ['authorization']),
  )
  expect(shown.headers.authorization).toBe(hiddenSecret)
  salesforce.people.push(person('Contact', annaId, { Phone: ended.call.source.number }))
  await one.deliver({ ...ended, id: 'evt_anna' })
  const task = JSON.parse((await preview('evt_anna')).body)
  expect(JSON.parse(salesforce.upserts[1]?.body ?? '')).toEqual({
    ...task,
    records: [{ ...task.records[0], WhoId: annaId }],
  })
})
