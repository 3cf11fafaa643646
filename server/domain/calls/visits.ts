/** Stays in queues and ring groups, and their summaries at the end of the call. */
import type {
  AnswerSeen,
  QueueVisitSeen,
  RingGroupVisitSeen,
  TriedSeen,
} from '#server/domain/calls/facts.ts'
import {
  callerLeg,
  findLeg,
  type Leg,
  type OpenCall,
  openVisit,
  type QueueLogFacts,
  realLegs,
  type Visit,
} from '#server/domain/calls/state.ts'

export function enterVisit(
  call: OpenCall,
  kind: Visit['kind'],
  name: string,
  legId: string,
  at: number,
): void {
  if (openVisit(call, kind)?.name === name) return
  call.visits.push({
    kind,
    name,
    legId,
    enteredAt: at,
    leftAt: null,
    answeredAt: null,
    answeredBy: null,
    answeringLegId: null,
    status: null,
  })
  call.reached = kind
  call.reachedUser = null
}

export function leaveVisit(
  call: OpenCall,
  kind: Visit['kind'],
  status: string | null,
  at: number,
): void {
  const open = openVisit(call, kind)
  // The end of the Queue application comes just before the mark with the status: one leaving, told twice.
  const visit = open ?? call.visits.findLast((v) => v.kind === kind && v.status === null)
  if (visit === undefined || visit.answeredAt !== null) return
  visit.leftAt ??= at
  visit.status ??= status
}

/** The leg's queue and ring group got their answer; a leg that picked up answers for the phone that rang. */
export function visitAnswered(call: OpenCall, leg: Leg, at: number): void {
  for (const visit of call.visits) {
    const name = visit.kind === 'queue' ? leg.queue : leg.ringGroup
    if (name !== visit.name || visit.answeredAt !== null) continue
    if (visit.leftAt !== null && visit.leftAt < leg.startedAt) continue
    visit.answeredAt = at
    visit.answeredBy = leg.user
    visit.answeringLegId = leg.id
  }
}

export function queueLogKey(channelId: string, queue: string): string {
  return `${channelId} ${queue}`
}

export function queueVisitSeen(
  call: OpenCall,
  visit: Visit,
  endedAt: number,
  log: QueueLogFacts | undefined,
): QueueVisitSeen {
  return {
    name: visit.name,
    outcome: queueOutcome(call, visit, log),
    enteredAt: visit.enteredAt,
    leftAt: visitEnd(visit, endedAt),
    position: log?.position ?? null,
    ...answerSeen(call, visit, endedAt),
    tried: triedUsers(call, visit, endedAt),
  }
}

function queueOutcome(
  call: OpenCall,
  visit: Visit,
  log: QueueLogFacts | undefined,
): QueueVisitSeen['outcome'] {
  if (visit.answeredAt !== null) return 'completed'
  if (visit.status === 'TIMEOUT') return 'timed_out'
  if (visit.status !== null && visit.status !== '') return 'left'
  if (log?.outcome) return log.outcome
  if (call.incomplete) return 'left'
  return hungUpWaiting(call, visit) ? 'abandoned' : 'left'
}

/** Without a status nothing but the caller's hang-up ends a stay: then the dialplan did not go on. */
function hungUpWaiting(call: OpenCall, visit: Visit): boolean {
  const leg = findLeg(call, visit.legId) ?? callerLeg(call)
  const left = visit.leftAt ?? leg.endedAt
  return leg.endedAt === null || left === null || leg.endedAt - left < 1_000
}

export function ringGroupVisitSeen(
  call: OpenCall,
  visit: Visit,
  endedAt: number,
): RingGroupVisitSeen {
  return {
    name: visit.name,
    outcome:
      visit.answeredAt !== null
        ? 'completed'
        : visit.status === null && !call.incomplete
          ? 'abandoned'
          : 'no_answer',
    enteredAt: visit.enteredAt,
    leftAt: visitEnd(visit, endedAt),
    ...answerSeen(call, visit, endedAt),
    tried: triedUsers(call, visit, endedAt),
  }
}

/** The talk is that of the leg that answered: the call may have come from another talk, and go on to a third. */
function answerSeen(call: OpenCall, visit: Visit, endedAt: number): AnswerSeen {
  const { answeredBy, answeredAt, answeringLegId } = visit
  const leg = answeringLegId === null ? undefined : findLeg(call, answeringLegId)
  const talkMs = answeredAt === null ? 0 : (leg?.endedAt ?? endedAt) - answeredAt
  return { answeredBy, answeredAt, talkMs }
}

function visitEnd(visit: Visit, endedAt: number): number {
  return visit.answeredAt ?? visit.leftAt ?? endedAt
}

/** Milliseconds that the caller waited in queues. */
export function waitMs(call: OpenCall, endedAt: number): number {
  return call.visits
    .filter((visit) => visit.kind === 'queue')
    .reduce((sum, visit) => sum + visitEnd(visit, endedAt) - visit.enteredAt, 0)
}

/** The phones that the visit rang, one line per user in order of first ringing. */
function triedUsers(call: OpenCall, visit: Visit, endedAt: number): TriedSeen[] {
  const tried = new Map<string, TriedSeen>()
  for (const leg of realLegs(call)) {
    if (leg.user === null || !rangFor(visit, leg, endedAt)) continue
    const before = tried.get(leg.user.extension)
    tried.set(leg.user.extension, {
      user: leg.user,
      attempts: (before?.attempts ?? 0) + 1,
      ringMs: (before?.ringMs ?? 0) + (leg.answeredAt ?? leg.endedAt ?? endedAt) - leg.startedAt,
      outcome: leg.outcome ?? 'missed',
    })
  }
  return [...tried.values()]
}

function rangFor(visit: Visit, leg: Leg, endedAt: number): boolean {
  const name = visit.kind === 'queue' ? leg.queue : leg.ringGroup
  if (name !== visit.name || leg.via !== null) return false
  return leg.startedAt >= visit.enteredAt && leg.startedAt <= visitEnd(visit, endedAt)
}
