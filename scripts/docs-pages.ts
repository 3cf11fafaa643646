/**
 * The pages of docs/ that are made from code. `npm run docs` writes them, and a test fails when one is stale.
 */
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import { fieldErrors, problems } from '#contracts/problem.ts'
import { settings } from '#server/config.ts'

const madeFrom = (source: string) => `<!-- Made from ${source} by \`npm run docs\`. -->\n`

const row = (...cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`

function configurationPage(): string {
  const entries = Object.values(settings).map(({ env, schema, description, ...rest }) => {
    const initial: unknown = schema.safeParse(undefined).data
    const shown = typeof initial === 'boolean' ? (initial ? 'on' : 'off') : String(initial)
    const byDefault = 'defaultText' in rest ? rest.defaultText : `\`${shown}\``
    return `## \`${env}\`\n\n${description}\n\nDefault: ${byDefault}.\n`
  })
  return [
    madeFrom('server/config.ts'),
    '# Configuration\n',
    'Offhook is configured by environment variables. A variable that begins with `OFFHOOK_` and is not listed',
    'here stops the start, because a misspelt setting would otherwise go unnoticed. All problems are told at once.',
    'A relative path is meant from the folder in which the command was given.\n',
    ...entries,
  ].join('\n')
}

function problemsPage(): string {
  const byStatus = Object.entries(problems).map(
    ([code, { status, title, remedy }]) =>
      `## \`${code}\`\n\nStatus ${status}. ${title}.\n\n${remedy}\n`,
  )
  const fields = Object.entries(fieldErrors).map(
    ([code, meaning]) => `| \`${code}\` | ${meaning} |`,
  )
  return [
    madeFrom('contracts/problem.ts'),
    '# Problems\n',
    'Every refusal of the API is an RFC 9457 problem, `application/problem+json`:\n',
    '```json',
    JSON.stringify(
      {
        type: 'urn:offhook:problem:invalid_input',
        title: problems.invalid_input.title,
        status: 422,
        code: 'invalid_input',
        detail: 'Wrong: urll.',
        request_id: 'req_Zb3k9dQ0w1xT',
        errors: [{ field: 'urll', code: 'unknown_field', message: 'did you mean "url"?' }],
      },
      null,
      2,
    ),
    '```\n',
    'Decide by `code`: codes are never renamed. `request_id` is also in the header `X-Request-Id`, and the log has',
    'one line under it.\n',
    ...byStatus,
    '# Codes of single fields\n',
    '| code | meaning |',
    '| ---- | ------- |',
    ...fields,
    '',
  ].join('\n')
}

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
    return row(`\`${type}\``, label, scope, description, also.join(', '))
  })
  const fields = listEventFields().map((field) => {
    const unit = field.unit === null ? '' : ` (${field.unit})`
    const type = `${field.type}${unit}${field.nullable ? ', or null' : ''}`
    const where = whereText(field.triggers)
    return row(`\`${field.path}\``, field.label, type, field.description, where)
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

/** Path below the project folder → text. */
export const docsPages: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/reference/problems.md': problemsPage,
  'docs/reference/events.md': eventsPage,
}
