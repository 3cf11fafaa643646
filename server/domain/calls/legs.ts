/** A leg's life: offered, answered, connected, ended; and what each step tells of its user and its call. */
import type { LegOutcome } from '#contracts/events/facts.ts'
import { localPair } from '#server/domain/calls/channel-name.ts'
import { type Draft, tell } from '#server/domain/calls/draft.ts'
import type { CelRow } from '#server/domain/calls/rows.ts'
import { callerLeg, type Leg, type OpenCall, realLegs } from '#server/domain/calls/state.ts'
import { visitAnswered } from '#server/domain/calls/visits.ts'

/** A phone starts to ring, or a line to outside is taken. Told once per leg. */
export function offerLeg(draft: Draft, call: OpenCall, leg: Leg, at: number): void {
  if (leg.offered || leg.kind === 'local' || leg.role === 'caller') return
  leg.offered = true
  if (call.kind === 'undecided') decideDirection(draft, call, leg, at)
  if (leg.kind === 'user') {
    if (leg.queue === null && leg.ringGroup === null) {
      call.reached = 'user'
      call.reachedUser = leg.user
    }
    tell(draft, call, 'user.inbound.ringing', at, { user: leg.user, leg }, null)
    return
  }
  leg.number ??= outsideNumber(call, leg)
  if (call.kind === 'outbound') placeOutbound(draft, call, at)
  else if (call.answeredAt === null) call.divertedTo ??= leg.number
}

/** A user's call without marks shows what it is by the first leg that it reaches. */
function decideDirection(draft: Draft, call: OpenCall, leg: Leg, at: number): void {
  if (leg.kind === 'external') call.kind = 'outbound'
  else placeInternal(draft, call, at)
}

export function placeInternal(draft: Draft, call: OpenCall, at: number): void {
  call.kind = 'internal'
  if (call.placed) return
  call.placed = true
  callerLeg(call).offered = true
  const user = call.source.user
  tell(draft, call, 'call.internal.placed', at, { user }, null)
  if (user !== null) tell(draft, call, 'user.outbound.placed', at, { user }, null)
}

function placeOutbound(draft: Draft, call: OpenCall, at: number): void {
  if (call.placed) return
  call.placed = true
  callerLeg(call).offered = true
  const user = call.source.user
  tell(draft, call, 'call.outbound.placed', at, { user }, null)
  if (user !== null) tell(draft, call, 'user.outbound.placed', at, { user }, null)
}

/** The number in `Dial(PJSIP/0301111111@trunk,…)`; else what the user dialled. */
function outsideNumber(call: OpenCall, leg: Leg): string | null {
  for (const target of (call.dialString.split(',')[0] ?? '').split('&')) {
    const [, number, endpoint] = /^[^/]+\/([^@/]+)@([^/]+)/.exec(target) ?? []
    if (endpoint === leg.endpoint && number !== undefined) return number
  }
  return call.kind === 'outbound' ? call.destinationRaw : null
}

/** A called phone or line answered. The caller's own ANSWER (by IVR, queue, voicemail) is not an answer. */
export function answerLeg(draft: Draft, call: OpenCall, leg: Leg, at: number): void {
  if (leg.kind === 'local' || leg.role === 'caller' || leg.answeredAt !== null) return
  offerLeg(draft, call, leg, leg.startedAt)
  leg.answeredAt = at
  const first = call.answeredAt === null
  call.answeredAt ??= at
  visitAnswered(call, leg, at)
  if (first) {
    callerLeg(call).answeredAt = at
    call.answeredBy = leg.kind === 'user' ? leg.user : null
    call.via = leg.via
    tellFirstAnswer(draft, call, leg, at)
  }
  if (leg.kind === 'user') {
    tell(draft, call, 'user.inbound.answered', at, { user: leg.user, leg }, null)
  }
}

/**
 * By the seeds' rules `call.inbound.answered` is a person on the PBX answering: not an outside number that the call was
 * diverted to. A pick-up, "technically an outbound, internal call", is told too, as such: only webhooks that count pick-ups
 * get it (`match.ts`).
 */
function tellFirstAnswer(draft: Draft, call: OpenCall, leg: Leg, at: number): void {
  const ownPhone = leg.kind === 'user' && leg.via === null
  if (call.kind === 'inbound') {
    if (leg.kind === 'user')
      tell(draft, call, 'call.inbound.answered', at, { user: leg.user, leg }, null)
    return
  }
  const caller = call.source.user
  if (call.kind === 'outbound') {
    tell(draft, call, 'call.outbound.answered', at, { user: caller }, null)
  } else if (ownPhone) {
    tell(draft, call, 'call.internal.answered', at, { user: leg.user, leg }, null)
  }
  if (caller !== null) tell(draft, call, 'user.outbound.answered', at, { user: caller }, null)
}

export function enterBridge(draft: Draft, call: OpenCall, leg: Leg, row: CelRow): void {
  const bridge = row.extra.bridge_id
  if (typeof bridge !== 'string') return
  leg.bridge = bridge
  const together = connectedLegs(call, bridge)
  if (together.length < 2) return
  for (const other of together) answerLeg(draft, call, other, row.at)
  call.bridged = true
  if (together.some((l) => l.kind === 'user')) call.talker = true
}

export function leaveBridge(leg: Leg): void {
  leg.lastBridge = leg.bridge ?? leg.lastBridge
  leg.bridge = null
}

/** Phones and lines that hear each other: in this bridge, or in one that a Local channel connects to it. */
function connectedLegs(call: OpenCall, bridge: string): Leg[] {
  const bridges = new Set([bridge])
  // A Set's iterator also visits what is added while it runs: a walk over connected bridges.
  for (const at of bridges) {
    for (const half of call.legs) {
      if (half.kind !== 'local' || half.bridge !== at) continue
      const pair = localPair(half.channel)
      for (const other of call.legs) {
        if (other.id !== half.id && other.bridge !== null && localPair(other.channel) === pair) {
          bridges.add(other.bridge)
        }
      }
    }
  }
  return realLegs(call).filter((leg) => leg.bridge !== null && bridges.has(leg.bridge))
}

/**
 * The phone answered 302. Usually its leg ends with cause 23; where Dial() hangs it up before the channel has been told
 * why, with 0, as if the PBX had cancelled it (seen once in some dozen live runs).
 */
export function refuseBySendingOn(leg: Leg): void {
  if (leg.answeredAt === null && leg.hangup?.cause === 0) leg.outcome = 'rejected'
}

/** The channel is gone: a user's part is over. */
export function endLeg(draft: Draft, call: OpenCall, leg: Leg, at: number): void {
  if (leg.endedAt !== null) return
  leaveBridge(leg)
  leg.endedAt = at
  leg.outcome ??= outcomeOf(leg)
  if (leg.kind !== 'user' || leg.user === null || !leg.offered) return
  const part = {
    startedAt: leg.startedAt,
    answeredAt: leg.answeredAt,
    endedAt: at,
    outcome: leg.outcome,
  }
  const { user } = leg
  // A target was chosen by its queue or ring group; a caller is told the one that the call came to.
  if (leg.role === 'target')
    tell(draft, call, 'user.inbound.completed', at, { user, leg }, { part })
  else tell(draft, call, 'user.outbound.completed', at, { user }, { part })
}

/** Q.850 causes by which a leg was not answered; others are failures. */
const noAnswerCauses: ReadonlySet<number> = new Set([
  0, // cancelled by the PBX: ring time over, or the caller left a queue
  16,
  19,
  127, // the caller gave up
])

function outcomeOf(leg: Leg): LegOutcome {
  if (leg.answeredAt !== null) return 'completed'
  const cause = leg.hangup?.cause
  if (cause === undefined) return 'failed'
  if (cause === 26) return 'answered_elsewhere'
  if (cause === 17) return 'busy'
  // 23: the phone answered 302, sending the call elsewhere; like 21 its own refusal.
  if (cause === 21 || cause === 23) return 'rejected'
  return noAnswerCauses.has(cause) ? 'missed' : 'failed'
}
