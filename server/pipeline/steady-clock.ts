/**
 * Epoch milliseconds that never go back: the wall clock, or, while that is behind, what has passed since by the
 * monotonic clock. When somebody sets the clock back by an hour, what is due stays due, instead of resting for an
 * hour; when somebody sets it ahead, it is followed, because new deliveries are stamped by it. Over a restart: `store/last-time.ts`.
 */
export function steadyClock(wall: () => number, monotonic: () => number): () => number {
  let base = wall() - monotonic()
  return () => {
    const passed = monotonic()
    base = Math.max(base, wall() - passed)
    return Math.floor(base + passed)
  }
}
