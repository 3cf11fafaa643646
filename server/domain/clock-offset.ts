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

/** The one of the quickest way: what delays a message delays it on one side, and that is the error. Null: none. */
export function bestOffset(offsets: readonly ClockOffset[]): ClockOffset | null {
  return offsets.reduce<ClockOffset | null>(
    (best, one) => (best === null || one.round_trip_ms < best.round_trip_ms ? one : best),
    null,
  )
}
