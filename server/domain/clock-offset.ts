/**
 * How far the clock of another machine is from ours, from messages there and back (as NTP does). All times are epoch
 * milliseconds by the clock of whoever noted them.
 */
export interface Exchange {
  readonly sentAt: number
  readonly receivedAt: number
  readonly repliedAt: number
  readonly arrivedAt: number
}

export interface ClockOffset {
  /** How much the clock of the sender is ahead of the other's; < 0: it is behind. */
  readonly offset_ms: number
  /** On the way there and back, without the handling: the offset is right to half of this. */
  readonly round_trip_ms: number
}

export function offsetOf({ sentAt, receivedAt, repliedAt, arrivedAt }: Exchange): ClockOffset {
  const roundTrip = arrivedAt - sentAt - (repliedAt - receivedAt)
  return {
    offset_ms: (sentAt - receivedAt + (arrivedAt - repliedAt)) / 2,
    // A clock that was set while the message was under way could make it negative.
    round_trip_ms: Math.max(0, roundTrip),
  }
}

/** Clocks that NTP slews drift by less between two samples of a minute. */
const driftMs = 50

/**
 * The offset now, of samples in their order: that of the quickest way, for what delays a message delays it on one side,
 * and that is the error. A sample that the latest one contradicts is of before a clock was set. Null: no samples.
 */
export function offsetNow(offsets: readonly ClockOffset[]): ClockOffset | null {
  const latest = offsets.at(-1)
  if (latest === undefined) return null
  const agrees = (one: ClockOffset) =>
    Math.abs(one.offset_ms - latest.offset_ms) <=
    (one.round_trip_ms + latest.round_trip_ms) / 2 + driftMs
  return offsets
    .filter(agrees)
    .reduce((best, one) => (one.round_trip_ms < best.round_trip_ms ? one : best), latest)
}
