/** Steps (insert, delete, replace one character, swap two neighbours) that lead from `a` to `b`. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const cheapest = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(swapped ? Math.min(cheapest, (before[j - 2] ?? 0) + 1) : cheapest)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}

/**
 * The one of `names` that somebody who wrote `wrong` most likely meant, or null when none is near (more than a
 * third of its letters differ). `wrong` may come from outside: beyond 100 characters nothing is compared.
 */
export function nearestName(wrong: string, names: readonly string[]): string | null {
  if (wrong.length > 100) return null
  let best: string | null = null
  let least = Math.floor(Math.max(wrong.length, 3) / 3) + 1
  for (const name of names) {
    // So many steps it takes at least; most names are left out by that.
    if (Math.abs(name.length - wrong.length) >= least) continue
    const steps = distance(wrong.toLowerCase(), name.toLowerCase())
    if (steps < least) {
      best = name
      least = steps
    }
  }
  return best
}
