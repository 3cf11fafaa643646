/**
 * The pages of docs/ that are made from code. `npm run docs` writes them, and a test fails when one is stale.
 */
import { fieldErrors, problems } from '#contracts/problem.ts'
import { settings } from '#server/config.ts'
import { eventPages } from './event-pages.ts'
import { madeFrom } from './markdown.ts'
import { receiverTypes } from './receiver-types.ts'

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

/** Path below the project folder → text. */
export const docsPages: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/configuration.md': configurationPage,
  'docs/reference/problems.md': problemsPage,
  ...eventPages,
  'receiver/events.d.ts': receiverTypes,
}
