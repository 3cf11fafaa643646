/** The pages of the event catalogue: one of all types and fields, and one for each type with a sample request. */
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { type EventField, listEventFields } from '#contracts/events/fields.ts'
import { phoneCloudFormats } from '#contracts/events/phone-cloud.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { signatureHeaders } from '#server/domain/sign.ts'
import { madeFrom, row } from './markdown.ts'

/** So that a developer can try to verify the samples. */
const sampleSecret = `whsec_${Buffer.from('the secret of all samples').toString('base64')}`

/** The shorter way to say which events have a field: those that do, or those that do not. */
function whereText(triggers: readonly EventType[]): string {
  const others = eventTypes.filter((type) => !triggers.includes(type))
  const names = (types: readonly EventType[]) => types.map((type) => `\`${type}\``).join(', ')
  if (others.length === 0) return 'all'
  return others.length < triggers.length ? `all but ${names(others)}` : names(triggers)
}

function eventsPage(): string {
  const types = eventTypes.map((type) => {
    const { label, description, scope, seedTriggers, phoneCloudType } = eventCatalogue[type]
    const also = [...seedTriggers, ...(phoneCloudType === null ? [] : [`\`${phoneCloudType}\``])]
    return row(`[\`${type}\`](events/${type}.md)`, label, scope, description, also.join(', '))
  })
  const fields = listEventFields().map((field) => {
    const where = whereText(field.triggers)
    return row(`\`${field.path}\``, field.label, typeText(field), field.description, where)
  })
  return [
    madeFrom('contracts/events/'),
    '# Events\n',
    'Every type of event, as a webhook can have it for a trigger. `GET /api/v1/event-types` gives the same with JSON',
    'Schema.\n',
    '| type | name | webhooks of | meaning | also called |',
    '| ---- | ---- | ----------- | ------- | ----------- |',
    ...types,
    '',
    '# Fields\n',
    'Where a field stands in the native event, and which events have it. `[]` marks the entries of a list.\n',
    '| field | name | type | meaning | in |',
    '| ----- | ---- | ---- | ------- | -- |',
    ...fields,
    '',
  ].join('\n')
}

const typeText = ({ type, unit, nullable }: Pick<EventField, 'type' | 'unit' | 'nullable'>) =>
  type === 'null'
    ? 'always null'
    : `${type}${unit === null ? '' : ` (${unit})`}${nullable ? ', or null' : ''}`

const sampleRequest = (headers: Readonly<Record<string, string>>, body: string) => [
  '```http',
  'POST /your/path HTTP/1.1',
  ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  '```\n',
  '```json',
  JSON.stringify(JSON.parse(body), null, 2),
  '```\n',
]

const phoneCloudRequests = prepareRequests(
  'https://pbx.example/hook',
  {
    ...plainRequest,
    payload: { style: 'phone-cloud' },
    authentication: { type: 'pbx_token', token: 'the-secret-token' },
  },
  '<version>',
)

function phoneCloudSection(type: EventType): readonly string[] {
  const format = phoneCloudFormats.get(type)
  if (format === undefined) return []
  const { headers, body } = phoneCloudRequests.render(nativeBody(eventSamples[type]))
  return [
    '## In the Phone Cloud format\n',
    'What global webhooks and Webhook objects of a call flow send of the same event, and others with the payload',
    '[`phone-cloud`](../../webhooks.md#payload). The headers of the signature come beside these unless `signed` is false.\n',
    ...sampleRequest(headers, body),
    '| variable | type | meaning |',
    '| -------- | ---- | ------- |',
    ...format.fields.map((field) => row(`\`${field.name}\``, typeText(field), field.description)),
    '',
  ]
}

function eventPage(type: EventType): string {
  const { label, description, scope } = eventCatalogue[type]
  const sample = eventSamples[type]
  const body = nativeBody(sample)
  const at = Date.parse(sample.occurred_at) + 40
  const signature = signatureHeaders({ id: sample.id, at, body }, [sampleSecret])
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Offhook/<version>',
    ...signature,
  }
  const fields = listEventFields([type])
  return [
    madeFrom('contracts/events/'),
    `# ${label}: \`${type}\`\n`,
    `${description} A trigger of webhooks of ${scope === 'account' ? 'the account' : 'a service'}.\n`,
    '## Sample request\n',
    `Signed with the secret \`${sampleSecret}\`. The body is one line on the wire; verify the bytes that came.\n`,
    ...sampleRequest(headers, body),
    '## Fields\n',
    '| field | name | also called | type | meaning |',
    '| ----- | ---- | ----------- | ---- | ------- |',
    ...fields.map((field) => {
      const aliases = field.aliases.map((name) => `\`${name}\``).join(', ')
      return row(`\`${field.path}\``, field.label, aliases, typeText(field), field.description)
    }),
    '',
    ...phoneCloudSection(type),
  ].join('\n')
}

/** Path below the project folder → text. */
export const eventPages: Readonly<Record<string, () => string>> = {
  'docs/reference/events.md': eventsPage,
  ...Object.fromEntries(
    eventTypes.map((type) => [`docs/reference/events/${type}.md`, () => eventPage(type)]),
  ),
}
