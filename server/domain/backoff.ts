const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** Pauses before the second, third, … try; the last one repeats. Ten tries take about a day, fifteen three. */
const pauses = [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, 2 * hour, 8 * hour]

/** Share of a pause that chance adds or takes, so that what failed together does not come back together. */
const jitter = 0.2

/** What a receiver can ask for at most; a slip of its pen must not put a delivery off for years. */
export const longestRetryAfterMs = 24 * hour

/**
 * Milliseconds to wait after a failed attempt. `attemptsDone` counts that one, so it is at least 1; `random` is in
 * [0, 1); `retryAfterMs` is what the receiver asked for: never earlier than that, within `longestRetryAfterMs`.
 */
export function delayBeforeRetry(
  attemptsDone: number,
  random: number,
  retryAfterMs: number | null,
): number {
  const step = Math.min(Math.max(attemptsDone, 1), pauses.length) - 1
  const pause = (pauses[step] ?? 0) * (1 - jitter + 2 * jitter * random)
  return Math.round(Math.max(pause, Math.min(retryAfterMs ?? 0, longestRetryAfterMs)))
}

const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
const time = String.raw`(?<time>\d{2}:\d{2}:\d{2})`

/** The three forms of RFC 9110, 5.6.7, of which the last two are obsolete and must still be understood. */
const dateForms = [
  new RegExp(String.raw`^\w{3}, (?<day>\d{2}) (?<month>${months}) (?<year>\d{4}) ${time} GMT$`),
  new RegExp(String.raw`^\w{6,9}, (?<day>\d{2})-(?<month>${months})-(?<year>\d{2}) ${time} GMT$`),
  new RegExp(String.raw`^\w{3} (?<month>${months}) (?<day>[ \d]\d) ${time} (?<year>\d{4})$`),
]

/**
 * The header `Retry-After`, in seconds or as a date, as milliseconds from `now` (epoch milliseconds); 0 for a date
 * that is past. Null where the text is neither, since a guess could be wrong by years.
 */
export function parseRetryAfter(text: string, now: number): number | null {
  const value = text.trim()
  if (/^\d+$/.test(value)) return Math.min(Number(value) * second, Number.MAX_SAFE_INTEGER)
  const at = parseHttpDate(value, now)
  return at === null ? null : Math.max(0, at - now)
}

function parseHttpDate(text: string, now: number): number | null {
  for (const form of dateForms) {
    const parts = form.exec(text)?.groups
    if (parts === undefined) continue
    const year = fullYear(parts.year ?? '', now)
    const at = Date.parse(`${parts.day?.trim()} ${parts.month} ${year} ${parts.time} GMT`)
    return Number.isNaN(at) ? null : at
  }
  return null
}

/** A year of two digits that seems more than 50 years ahead means the century before (RFC 9110, 5.6.7). */
function fullYear(digits: string, now: number): number {
  if (digits.length === 4) return Number(digits)
  const thisYear = new Date(now).getUTCFullYear()
  const year = Math.floor(thisYear / 100) * 100 + Number(digits)
  return year > thisYear + 50 ? year - 100 : year
}
