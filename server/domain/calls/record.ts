/** The end of a call: what became of it, who ended it, and the events that tell so. */
import type { CallStatus, HangupCause, HangupInitiator } from '#contracts/events/facts.ts'
import { isLocal } from '#server/domain/calls/channel-name.ts'
import { callSeen, type Draft, removeCall, tell } from '#server/domain/calls/draft.ts'
import type { LegSeen, RecordSeen } from '#server/domain/calls/facts.ts'
import { callerLeg, type Leg, type OpenCall, realLegs } from '#server/domain/calls/state.ts'
import {
  queueLogKey,
  queueVisitSeen,
  ringGroupVisitSeen,
  waitMs,
} from '#server/domain/calls/visits.ts'

/** Tells the summaries and the record of a call whose channels are all gone, and forgets it. */
export function closeCall(draft: Draft, call: OpenCall): void {
  const endedAt = call.legs.reduce((last, leg) => Math.max(last, leg.endedAt ?? 0), call.startedAt)
  const record = recordOf(call, endedAt)
  for (const visit of call.visits) {
    const log = draft.queueLog.get(queueLogKey(visit.legId, visit.name))
    draft.queueLog.delete(queueLogKey(visit.legId, visit.name))
    const user = visit.answeredBy
    if (visit.kind === 'queue') {
      const seen = queueVisitSeen(call, visit, endedAt, log)
      const leg = { ...callerLeg(call), queue: visit.name, ringGroup: null }
      tell(draft, call, 'queue.call.summary', endedAt, { user, leg }, { record, visit: seen })
    } else {
      const seen = ringGroupVisitSeen(call, visit, endedAt)
      const leg = { ...callerLeg(call), queue: null, ringGroup: visit.name }
      tell(draft, call, 'ring_group.call.summary', endedAt, { user, leg }, { record, visit: seen })
    }
  }
  if (call.kind === 'inbound' && call.answeredAt === null) {
    const details = { record, reached: call.reached }
    tell(draft, call, 'call.missed', endedAt, { user: call.reachedUser }, details)
  }
  const user = call.answeredBy ?? (call.kind === 'inbound' ? null : call.source.user)
  const legs = realLegs(call).map((leg) => legSeen(call, leg, endedAt))
  tell(draft, call, 'call.ended', endedAt, { user }, { record, legs })
  removeCall(draft, call)
}

function recordOf(call: OpenCall, endedAt: number): RecordSeen {
  const initiator = initiatorOf(call)
  const cause = causeOf(call, initiator)
  return {
    ...callSeen(call),
    endedAt,
    status: call.voicemailLeft && !call.bridged ? 'voicemail' : statusOf[cause],
    bridged: call.bridged,
    ringMs: ringMs(call, endedAt),
    waitMs: waitMs(call, endedAt),
    initiator,
    cause,
    q850: callerLeg(call).hangup?.cause || null,
    sipCode: call.sipCode,
    answeredBy: call.answeredBy,
    divertedTo: call.divertedTo,
    incomplete: call.incomplete,
    recording: call.recorded,
    merged: [...call.merged],
  }
}

const statusOf: Readonly<Record<HangupCause, CallStatus>> = {
  Answered: 'answered',
  Busy: 'busy',
  Canceled: 'canceled',
  Failed: 'failed',
  'No Answer': 'missed',
}

/** A leg that hung up this shortly before the caller's channel was gone took the call down with it. */
const takesDownWithinMs = 1_000
/** Q.850 18, no user responding (SIP timer B): time ran out, nobody hung up. */
const noUserResponding = 18

/**
 * Asterisk names the channel that hung up on the HANGUP row of the caller, but not across Local channels (there it is
 * empty) and not when the dialplan went on to hang up after a called leg had refused: then the refusing leg's own row
 * tells. A transferrer's hang-up ends only the transferrer's part.
 */
function initiatorOf(call: OpenCall): HangupInitiator {
  if (call.incomplete) return 'system'
  const caller = callerLeg(call)
  const source = caller.hangup?.source ?? ''
  const named = call.legs.find((leg) => leg.channel === source && leg.kind !== 'local')
  const byCaller = named === caller
  const meantSo = call.bridged || call.voicemailReached || refusal(call) === null
  if (named !== undefined && !byCaller) return 'callee'
  if (byCaller && !caller.transferred && meantSo) return 'caller'
  const end = caller.transferred
    ? Math.max(...call.legs.map((leg) => leg.endedAt ?? 0))
    : (caller.endedAt ?? 0)
  const ender = call.legs.find((leg) => leg !== caller && !leg.transferred && tookDown(leg, end))
  if (ender === undefined) return 'system'
  return ender.hangup?.source === caller.channel ? 'caller' : 'callee'
}

function tookDown(leg: Leg, end: number): boolean {
  if (leg.hangup === null || leg.kind === 'local' || leg.endedAt === null) return false
  const { source, cause } = leg.hangup
  if (source === '' || source.startsWith('dialplan/') || isLocal(source)) return false
  return end - leg.endedAt < takesDownWithinMs && cause !== noUserResponding
}

const rangOut: ReadonlySet<number> = new Set([0, 16, 19])

function causeOf(call: OpenCall, initiator: HangupInitiator): HangupCause {
  // Answered and not yet connected: the PBX died, or the caller left, in the moment between. The answer has been told.
  if (call.bridged || call.answeredAt !== null) return 'Answered'
  if (call.voicemailReached) return causeFromLegs(call) ?? 'Failed'
  if (initiator === 'caller') return 'Canceled'
  const q850 = callerLeg(call).hangup?.cause
  if (q850 === 17 || q850 === 21) return 'Busy'
  return q850 !== undefined && rangOut.has(q850) ? 'No Answer' : 'Failed'
}

/** What the caller met before voicemail answered: somebody rang out, all were busy, or none could be reached. */
function causeFromLegs(call: OpenCall): HangupCause | null {
  const outcomes = realLegs(call)
    .filter((leg) => leg.role === 'target')
    .map((leg) => leg.outcome)
  if (outcomes.includes('missed')) return 'No Answer'
  if (outcomes.includes('busy') || outcomes.includes('rejected')) return 'Busy'
  return outcomes.length > 0 ? 'Failed' : null
}

/**
 * The PBX refused, or somebody did for whom it spoke: the caller's own channel then bears the cause, even where it
 * also bears the caller's name because the caller hung up on the busy tone, or was told 486 or 503.
 */
function refusal(call: OpenCall): HangupCause | null {
  if (call.reached !== null && call.reached !== 'user') return null
  const q850 = callerLeg(call).hangup?.cause
  if (q850 === undefined || notRefused.has(q850)) return null
  return q850 === 17 || q850 === 21 ? 'Busy' : 'Failed'
}

/** Normal ends, ring time over, and 127: the caller cancelled. */
const notRefused: ReadonlySet<number> = new Set([0, 16, 19, 127])

/** Milliseconds in which at least one phone rang before the first answer. */
function ringMs(call: OpenCall, endedAt: number): number {
  const until = call.answeredAt ?? endedAt
  const rings = realLegs(call)
    .filter((leg) => leg.role === 'target' && leg.via === null && leg.startedAt < until)
    .map((leg) => [leg.startedAt, Math.min(leg.answeredAt ?? leg.endedAt ?? until, until)] as const)
    .sort(([a], [b]) => a - b)
  let total = 0
  let covered = 0
  for (const [from, to] of rings) {
    total += Math.max(0, to - Math.max(from, covered))
    covered = Math.max(covered, to)
  }
  return total
}

function legSeen(call: OpenCall, leg: Leg, endedAt: number): LegSeen {
  return {
    kind: leg.kind === 'user' ? 'user' : 'external',
    role: leg.role,
    user: leg.user,
    name: leg === callerLeg(call) ? call.source.name : (leg.user?.name ?? null),
    number: leg.kind === 'user' ? null : leg.number,
    queue: leg.queue,
    ringGroup: leg.ringGroup,
    via: leg.via,
    startedAt: leg.startedAt,
    answeredAt: leg.answeredAt,
    endedAt: leg.endedAt ?? endedAt,
    outcome: leg.outcome ?? 'failed',
  }
}
