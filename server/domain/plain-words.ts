/** What is wrong with a value, in the words of a person: always what would be right. Zod's own words are for programmers. */
import type { z } from 'zod'
import { nearestName } from '#contracts/nearest-name.ts'

type Issue = z.core.$ZodRawIssue
type Words = { readonly [code in Issue['code']]?: (issue: Issue & { code: code }) => string | null }

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

const formats: Readonly<Record<string, string>> = {
  url: 'a URL, such as https://crm.example/hook',
  uuid: 'a UUID, such as 6a1f8f0e-0f52-4b0e-9df0-0f4f6a1b2c3d',
  datetime: 'a time, such as 2026-11-22T09:30:00Z',
  date: 'a date, such as 2026-11-22',
  email: 'an e-mail address',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  cidrv4: 'an IPv4 network, such as 10.0.0.0/8',
  cidrv6: 'an IPv6 network, such as fd00::/8',
}

const things: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
  set: ['item', 'items'],
  object: ['field', 'fields'],
  record: ['field', 'fields'],
}

/** `4 characters` of a text, `4 items` of a list; of a number, the number. */
function amount(origin: string, count: unknown): string {
  const [one, many] = things[origin] ?? []
  if (one === undefined) return String(count)
  return `${count} ${Number(count) === 1 ? one : many}`
}

const verb = (origin: string): string => (things[origin] === undefined ? 'be' : 'have')

function oneOf(values: readonly unknown[], input: unknown): string {
  const names = values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
  const [only] = names
  if (names.length === 1) return `must be ${only}`
  const nearest = typeof input === 'string' ? nearestName(input, names) : null
  const hint = nearest === null ? '' : `did you mean ${nearest}? It `
  return `${hint}must be one of ${names.join(', ')}`
}

const words: Words = {
  invalid_type: ({ expected, input }) => {
    const kind = kinds[expected] ?? expected
    return input === undefined ? `is missing; it must be ${kind}` : `must be ${kind}`
  },
  invalid_value: ({ values, input }) => oneOf(values, input),
  invalid_format: ({ format }) => {
    const form = formats[format]
    return form === undefined ? null : `must be ${form}`
  },
  too_small: ({ origin, minimum, inclusive }) =>
    `must ${verb(origin)} ${inclusive === false ? 'more than' : 'at least'} ${amount(origin, minimum)}`,
  too_big: ({ origin, maximum, inclusive }) =>
    `must ${verb(origin)} ${inclusive === false ? 'less than' : 'at most'} ${amount(origin, maximum)}`,
  not_multiple_of: ({ divisor }) => `must be a multiple of ${divisor}`,
  invalid_key: ({ issues }) => issues[0]?.message ?? null,
  invalid_union: (issue) => {
    if ('options' in issue && Array.isArray(issue.options)) return unionWords(issue)
    const branches = issue.errors.flatMap((branch) => branch[0]?.message ?? [])
    return branches.length === 0 ? null : [...new Set(branches)].join(', or ')
  },
}

function unionWords(issue: Issue & { code: 'invalid_union' }): string {
  const { discriminator, input, options } = issue as typeof issue & { options: unknown[] }
  const given = (input as Readonly<Record<string, unknown>> | null)?.[discriminator ?? '']
  return oneOf(options, given)
}

/** An error map for Zod, given where something is parsed. Messages that a schema has of its own go first. */
export const plainWords = (issue: Issue): string | null =>
  (words[issue.code] as ((i: Issue) => string | null) | undefined)?.(issue) ?? null
