/** When something was last switched off, and on again: what happened meanwhile fired nothing, and is told so afterwards. */
export interface OffPeriod {
  readonly off_since: number | null
  readonly off_until: number | null
}

/** Of what is made, on or off. */
export const firstPeriod = (on: boolean, now: number): OffPeriod => ({
  off_since: on ? null : now,
  off_until: null,
})

export function periodAfter(
  { off_since, off_until }: OffPeriod,
  [was, is]: readonly [on: boolean, on: boolean],
  now: number,
): OffPeriod {
  if (was === is) return { off_since, off_until }
  return is ? { off_since, off_until: now } : firstPeriod(false, now)
}
