/** Where the time between a step of the dialplan and its request goes, by the times that Offhook itself keeps. */
import { percentile, rounded } from '#bench/statistics.ts'
import type { Attempt, Delivery } from '#contracts/delivery.ts'
import { allOf } from '#test/asterisk/stack.ts'
import type { OffhookProcess } from '#test/support/offhook-process.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/** A step that became a request. */
export interface Step {
  readonly eventId: string
  /** Epoch milliseconds by the PBX's own record. */
  readonly markedAt: number
  /** Epoch milliseconds. */
  readonly arrivedAt: number
}

interface Leg {
  readonly p50: number
  readonly p99: number
}

export interface Legs {
  /** The PBX writes its row, Offhook is woken, reads, folds and describes it. */
  readonly to_event: Leg
  /** To the thread of the database, into its log, and back. */
  readonly to_commit: Leg
  /** Signing, sending, and the receiver's reading. */
  readonly to_receiver: Leg
}

export async function legsOf(offhook: OffhookProcess, steps: readonly Step[]): Promise<Legs> {
  const accepted = new Map<string, number>()
  for (const { event_id, created_at } of await allOf<Delivery>(offhook, '/deliveries')) {
    accepted.set(event_id, middleOf(created_at))
  }
  const begun = await waitUntil(
    async () => {
      const attempts = await allOf<Attempt>(offhook, '/attempts')
      const times = new Map(attempts.map((one) => [one.event_id, middleOf(one.started_at)]))
      return steps.every(({ eventId }) => times.has(eventId)) && times
    },
    { what: 'all attempts are written down', everyMs: 500 },
  )
  const at = (times: ReadonlyMap<string, number>, { eventId }: Step) =>
    times.get(eventId) ?? Number.NaN
  return {
    to_event: leg(steps.map((step) => at(accepted, step) - step.markedAt)),
    to_commit: leg(steps.map((step) => at(begun, step) - at(accepted, step))),
    to_receiver: leg(steps.map((step) => step.arrivedAt - at(begun, step))),
  }
}

const leg = (ms: readonly number[]): Leg => ({
  p50: rounded(percentile(ms, 0.5)),
  p99: rounded(percentile(ms, 0.99)),
})

/** What is kept in whole milliseconds was on average half a one later. */
const middleOf = (time: string): number => Date.parse(time) + 0.5
