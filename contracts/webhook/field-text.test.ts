/** Text with fields: read in one go, whatever stands in it. */
import { expect, test } from 'vitest'
import { fieldText, partsOf } from '#contracts/webhook/field-text.ts'

const problemsOf = (text: string, most = 4_000) =>
  fieldText(most)
    .safeParse(text)
    .error?.issues.map(({ message }) => message) ?? []

test('fields are found by any of their names, and kept by their paths', () => {
  expect(fieldText(100).parse('a {{Source Number}} b {{  src }}{{ call.uuid }}')).toBe(
    'a {{ call.source.raw }} b {{ call.source.raw }}{{ call.uuid }}',
  )
  expect(partsOf('a {{ x }}{{y}} b')).toEqual([
    { text: 'a ' },
    { field: 'x' },
    { field: 'y' },
    { text: ' b' },
  ])
})

test.each([
  ['{{ call.uuid', /must have a field between/],
  ['call.uuid }}', /must have a field between/],
  ['{{ }}', /there is no field ""/],
  ['{{ Sorce Number }}', /did you mean "Source Number"/],
])('%s is refused', (text, message) => {
  expect(problemsOf(text)).toEqual([expect.stringMatching(message)])
})

test('of many that are unknown the first few are told, and of a text that is too long that it is', () => {
  expect(problemsOf('{{ sorce }}'.repeat(300))).toHaveLength(5)
  expect(problemsOf('{{ sorce }}'.repeat(80_000))).toHaveLength(1)
})

/** Of the processor, milliseconds. */
function taken(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

test.each([
  ['spaces', (n: number) => `{{${' '.repeat(n)}`],
  ['open braces', (n: number) => '{{ '.repeat(n / 3)],
  ['braces and spaces in turn', (n: number) => '{ {{ } '.repeat(n / 7)],
])('%s take no more than their length does', (_, make) => {
  const read = (n: number) => taken(() => problemsOf(make(n), n))
  read(10_000)
  // With the cube of its length it would never end.
  expect(read(1_000_000)).toBeLessThan(2_000)
})
