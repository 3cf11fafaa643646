import { expect, test } from 'vitest'
import { TimeFormat } from '#contracts/webhook/time-format.ts'

/** What is said of it; null: it is right. */
const saidOf = (format: string) => TimeFormat.safeParse(format).error?.issues[0]?.message ?? null

test.each([
  'iso8601',
  'unix',
  'unix_ms',
  'yyyy-MM-dd HH:mm:ss',
  "yyyy-MM-dd'T'HH:mm:ss.SSSZZ",
  'yyyyMMddHHmmss',
  'dd/MM/yy h:mm a',
  'HH:mm dd/MM',
  "EEE, dd MMM yyyy HH:mm:ss 'GMT'",
  "H 'hours,' m 'minutes'",
  "kkkk-'W'WW-E",
  'mm:ss',
  'yyyy年MM月dd日',
  "'100%' yyyy",
])('%s is right', (format) => {
  expect(saidOf(format)).toBeNull()
})

test.each([
  // moment, Day.js
  ['YYYY-MM-DD HH:mm:ss', 'yyyy-MM-dd HH:mm:ss'],
  ['YYYY-MM-DD[T]HH:mm:ss.SSSZ', "yyyy-MM-dd'T'HH:mm:ss.SSSZZ"],
  ['DD/MM/YYYY hh:mm A', 'dd/MM/yyyy hh:mm a'],
  ['dddd, MMMM Do, YYYY', 'EEEE, MMMM d, yyyy'],
  // strftime
  ['%Y-%m-%d', 'yyyy-MM-dd'],
  ['%Y-%m-%d %H:%M:%S', 'yyyy-MM-dd HH:mm:ss'],
  ['%FT%TZ', "yyyy-MM-dd'T'HH:mm:ss'Z'"],
  ['%-d.%-m.%Y at %I:%M %p', "d.M.yyyy' at 'hh:mm a"],
  ["%H o'clock, %d %%", "HH' o''''clock, 'dd' %'"],
  // PHP
  ['Y-m-d H:i:s', 'yyyy-MM-dd HH:mm:ss'],
  ['Y-m-d\\TH:i:sP', "yyyy-MM-dd'T'HH:mm:ssZZ"],
  ['D, d M Y H:i:s O', 'EEE, dd MMM yyyy HH:mm:ss ZZZ'],
  ['d/m/Y', 'dd/MM/yyyy'],
  // .NET, Java, SQL
  ['yyyy-MM-dd HH:mm:ss.fff', 'yyyy-MM-dd HH:mm:ss.SSS'],
  ['uuuu-MM-dd HH:mm:ss XXX', 'yyyy-MM-dd HH:mm:ss ZZ'],
  ['YYYY-MM-DD HH24:MI:SS', 'yyyy-MM-dd HH:mm:ss'],
  // Tokens that are right by themselves
  ['yyyy-MM-ddTHH:mm:ss', "yyyy-MM-dd'T'HH:mm:ss"],
  ['yyyy-mm-dd', 'yyyy-MM-dd'],
  ['dd/mm HH:mm', 'dd/MM HH:mm'],
  ['yyyy-MM-dd HH:MM:ss', 'yyyy-MM-dd HH:mm:ss'],
  ['yyyy-MM-dd hh:mm:ss', 'yyyy-MM-dd HH:mm:ss'],
  ['yyyy-MM-dd HH:mm:ss.S', 'yyyy-MM-dd HH:mm:ss.uuu'],
])('%s is refused, and meant is %s', (format, meant) => {
  expect(saidOf(format)).toMatch(/: did you mean "/)
  expect(saidOf(format)).toContain(`did you mean "${meant}"?`)
  expect(saidOf(meant)).toBeNull()
})

test.each([
  ...['ISO8601', 'iso', 'ISO 8601', 'iso8061', 'c', 'rfc3339', 'DATE_ATOM', 'toISOString()'].map(
    (format) => [format, 'iso8601'],
  ),
  ...['UNIX', 'epoch', 'timestamp', 'U', 'X', '%s'].map((format) => [format, 'unix']),
  ...['unixms', 'unix-ms', 'epoch_millis', 'ms', 'x'].map((format) => [format, 'unix_ms']),
])('%s is refused, and meant is %s', (format, meant) => {
  expect(saidOf(format)).toBe(`must be iso8601, unix, unix_ms or a pattern: did you mean ${meant}?`)
})

test.each([
  ['DDDD', /: "DDDD" is none of the tokens$/],
  ['T', /: "T" is none of the tokens$/],
  ['on some day', /: "n" is none of the tokens$/],
  ["yyyy-MM-dd'T", /: a single quote is not closed$/],
  ["'today'", /: there is no token in it$/],
  ['%c', /: % is of strftime, which only templates have$/],
  ['', /./],
  ['yyyy'.repeat(26), /./],
])('%s is refused, and nobody knows what was meant', (format, says) => {
  expect(saidOf(format)).toMatch(says)
  expect(saidOf(format)).not.toContain('did you mean')
})

test('what is told is short, whatever was sent', () => {
  for (const format of [
    'Y'.repeat(100),
    'Y-'.repeat(50),
    "%Y'".repeat(33),
    'Y'.repeat(1_000_000),
  ]) {
    expect(saidOf(format)?.length).toBeLessThan(400)
  }
})
