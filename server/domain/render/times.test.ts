import fc from 'fast-check'
import { DateTime, Settings } from 'luxon'
import { afterEach, expect, test } from 'vitest'
import { TimeFormat } from '#contracts/webhook/time-format.ts'
import { timeTokens } from '#contracts/webhook/time-pattern.ts'
import { formattedTime } from '#server/domain/render/times.ts'

afterEach(() => {
  Settings.defaultLocale = 'en-US'
})

const allowed = (format: string) => TimeFormat.safeParse(format).success

/** What it gives on machines of two languages, of which the weeks too begin on other days. */
function givenOf(
  time_format: string,
  time_zone = 'Australia/Sydney',
): readonly (string | number)[] {
  return ['en-US', 'de-DE'].map((locale) => {
    Settings.defaultLocale = locale
    return formattedTime('2026-11-22T20:14:01.005Z', { time_format, time_zone })
  })
}

const given: Readonly<Record<string, string>> = {
  ...{ y: '2026', yy: '26', yyyy: '2026' },
  ...{ M: '11', MM: '11', MMM: 'Nov', MMMM: 'November' },
  ...{ L: '11', LL: '11', LLL: 'Nov', LLLL: 'November' },
  ...{ d: '23', dd: '23', o: '327', ooo: '327' },
  ...{ E: '1', EEE: 'Mon', EEEE: 'Monday', ccc: 'Mon', cccc: 'Monday' },
  ...{ W: '48', WW: '48', kk: '26', kkkk: '2026', q: '4', qq: '04' },
  ...{ H: '7', HH: '07', h: '7', hh: '07', a: 'AM', m: '14', mm: '14', s: '1', ss: '01' },
  ...{ SSS: '005', u: '005', uu: '00', uuu: '0' },
  ...{ Z: '+11', ZZ: '+11:00', ZZZ: '+1100', ZZZZ: 'GMT+11', z: 'Australia/Sydney' },
  ZZZZZ: 'Australian Eastern Daylight Time',
}

test('every token that is allowed gives the same whatever the language of the machine', () => {
  expect(Object.keys(given).sort()).toEqual([...timeTokens].sort())
  for (const [token, text] of Object.entries(given)) {
    expect(givenOf(token)).toEqual([text, text])
    expect(allowed(/^hh?$/.test(token) ? `${token} a` : token), token).toBe(true)
  }
})

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz']
const runs = letters.flatMap((letter) => [1, 2, 3, 4, 5, 6].map((length) => letter.repeat(length)))
const knownToLuxon = (run: string) => DateTime.utc(2026, 11, 22).toFormat(run) !== run

/** What luxon has and is left out; a token that a later version has must be added to one of the two. */
const leftOut = [
  ...[...'DTtFf'].flatMap((letter) => [1, 2, 3, 4].map((length) => letter.repeat(length))),
  ...['n', 'nn', 'ii', 'iiii', 'MMMMM', 'LLLLL', 'EEEEE', 'ccccc', 'G', 'GG', 'GGGGG'],
  ...['S', 'c', 'x', 'X', 'yyyyyy'],
]

test('every other letter is refused, whether luxon knows it or would leave it as it stands', () => {
  expect(runs.filter((run) => knownToLuxon(run) && !timeTokens.has(run)).sort()).toEqual(
    leftOut.sort(),
  )
  for (const run of runs.filter((other) => !timeTokens.has(other))) {
    expect(allowed(run), run).toBe(false)
    expect(allowed(`yyyy ${run}`), run).toBe(false)
    expect(allowed(`yyyy '${run}'`), run).toBe(true)
  }
})

/** Pieces of which patterns of any library are made. */
const anyPattern = fc
  .array(
    fc.oneof(
      fc.constantFrom(...timeTokens, ...leftOut, 'YYYY', 'DD', 'Y', 'i', 'A', '%Y', '%m', '%-d'),
      fc.constantFrom('-', ':', ' ', '.', '/', "'", "''", "'T'", '[T]', '[', '\\', '%', 'é', '年'),
      fc.string({ maxLength: 3 }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => parts.join('').slice(0, 100))
  .filter((pattern) => pattern !== '')

test('what is allowed is the same on every machine, and so is what others are told to write', () => {
  fc.assert(
    fc.property(anyPattern, (pattern) => {
      const said = TimeFormat.safeParse(pattern).error?.issues[0]?.message
      const meant = /did you mean "?(.*?)"?\?$/s.exec(said ?? '')?.[1]
      const right = said === undefined ? pattern : meant
      if (right === undefined) return
      expect(allowed(right), right).toBe(true)
      const [here, there] = givenOf(right)
      expect(there).toBe(here)
    }),
    { numRuns: 2000 },
  )
})

test('text in quotes comes out as it is, also of patterns that were translated', () => {
  const meant = TimeFormat.safeParse("%H o'clock, %d %%").error?.issues[0]?.message
  const pattern = /"(.*)"/.exec(meant ?? '')?.[1] ?? ''
  expect(givenOf(pattern)[0]).toBe("07 o'clock, 23 %")
})
