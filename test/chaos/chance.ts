import { createHash } from 'node:crypto'

/** How hard the suite tries: `short` within `npm test`, `long` by `npm run chaos`. */
export const effort: 'short' | 'long' = process.env.CHAOS === 'long' ? 'long' : 'short'

/** Chance that can be had again: a failed run tells its seed, and `CHAOS_SEED` repeats its choices. */
export interface Chance {
  readonly seed: string
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number from `least` to `most`. */
  readonly between: (least: number, most: number) => number
}

export function chance(about: string): Chance {
  const seed = process.env.CHAOS_SEED ?? String(Date.now())
  let drawn = 0
  const next = () => {
    drawn += 1
    const digest = createHash('sha256').update(`${seed} ${about} ${drawn}`).digest()
    return digest.readUInt32BE() / 2 ** 32
  }
  return { seed, next, between: (least, most) => least + Math.floor(next() * (most - least + 1)) }
}
