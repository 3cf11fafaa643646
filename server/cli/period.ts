import { StartError } from '#server/start-error.ts'

export const periodHelp = `  --since <time>   how long ago (30min, 2h, 3d) or a time with its zone (2026-11-22T09:00Z)
  --until <time>   the end of the period; now when absent`

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** `2h` (ago) or a time with its zone, as epoch milliseconds. */
export function timeOf(option: string, text: string, now: number): number {
  const ago = /^(\d{1,6})(s|min|h|d)$/.exec(text)
  if (ago !== null) return now - Number(ago[1]) * (unitMs[ago[2] ?? ''] ?? 0)
  // Without a zone it would be the zone of this machine, which is not that of the log the time was read from.
  const zoned = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?)?(Z|[+-]\d\d:\d\d)$/i.test(text)
  const at = zoned
    ? Date.parse(text.includes('T') ? text : text.replace(/(?=Z|[+-]\d\d:)/i, 'T00:00'))
    : Number.NaN
  if (!Number.isNaN(at)) return at
  const says = `${option} is how long ago (30min, 2h, 3d) or a time with its zone (2026-11-22T09:00Z), not "${text}".`
  throw new StartError('usage', says)
}

/** The period of `--since` and `--until`; `since` belongs to it, `until` does not. Throws StartError `usage`. */
export function periodOf(
  { since, until }: { readonly since?: string | undefined; readonly until?: string | undefined },
  now: number,
): { readonly since: number; readonly until: number } {
  if (since === undefined) {
    throw new StartError('usage', '--since is missing: how long ago (2h, 3d) or a time.')
  }
  return {
    since: timeOf('--since', since, now),
    until: until === undefined ? Number.MAX_SAFE_INTEGER : timeOf('--until', until, now),
  }
}
