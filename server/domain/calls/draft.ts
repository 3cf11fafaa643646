/**
 * The working copy of one batch. The fold writes into it as an ordinary program would; the caller's state stays
 * untouched, so a batch whose commit failed is simply folded again from where it was.
 */
import type { CallEventType } from '#contracts/events/catalogue.ts'
import type { CallSeen, DetailsOf, Fact, UserSeen } from '#server/domain/calls/facts.ts'
import type { Leg, OpenCall, OpenCalls, QueueLogFacts } from '#server/domain/calls/state.ts'
import { lastVisit } from '#server/domain/calls/state.ts'

export interface FoldOptions {
  /** Endpoint names of the lines to carriers; null: guessed from names and contexts. */
  readonly trunks: ReadonlySet<string> | null
}

export interface Draft {
  readonly options: FoldOptions
  readonly calls: Map<string, OpenCall>
  readonly queueLog: Map<string, QueueLogFacts>
  bootAt: number | null
  readonly byChannel: Map<string, string>
  readonly byLinkedId: Map<string, string>
  readonly touched: Set<string>
  readonly closed: Set<string>
  readonly facts: Fact[]
}

export function beginDraft(state: OpenCalls, options: FoldOptions): Draft {
  const draft: Draft = {
    options,
    calls: new Map(state.calls),
    queueLog: new Map(state.queueLog),
    bootAt: state.bootAt,
    byChannel: new Map(),
    byLinkedId: new Map(),
    touched: new Set(),
    closed: new Set(),
    facts: [],
  }
  for (const call of state.calls.values()) indexCall(draft, call)
  return draft
}

export function indexCall(draft: Draft, call: OpenCall): void {
  for (const leg of call.legs) draft.byChannel.set(leg.id, call.id)
  for (const linkedId of call.linkedIds) draft.byLinkedId.set(linkedId, call.id)
}

/** The call to write into: copied the first time that the batch touches it. */
export function touch(draft: Draft, callId: string): OpenCall {
  const call = draft.calls.get(callId)
  if (call === undefined) throw new Error(`no open call ${callId}`)
  if (draft.touched.has(callId)) return call
  const copy = structuredClone(call)
  draft.calls.set(callId, copy)
  draft.touched.add(callId)
  return copy
}

export function addCall(draft: Draft, call: OpenCall): void {
  draft.calls.set(call.id, call)
  draft.touched.add(call.id)
  draft.closed.delete(call.id)
  indexCall(draft, call)
}

export function removeCall(draft: Draft, call: OpenCall): void {
  draft.calls.delete(call.id)
  draft.closed.add(call.id)
  for (const leg of call.legs) draft.byChannel.delete(leg.id)
  for (const linkedId of call.linkedIds) draft.byLinkedId.delete(linkedId)
}

export function addLeg(draft: Draft, call: OpenCall, leg: Leg): void {
  call.legs.push(leg)
  draft.byChannel.set(leg.id, call.id)
}

/** Which objects an event speaks of; by default those that the call was in last. */
export interface Subject {
  readonly user: UserSeen | null
  readonly leg?: Leg
}

/** Tells one event of a call: the next in its sequence. Silent and undecided calls tell nothing. */
export function tell<T extends CallEventType>(
  draft: Draft,
  call: OpenCall,
  type: T,
  at: number,
  subject: Subject,
  details: DetailsOf<T>,
): void {
  if (call.kind === 'silent' || call.kind === 'undecided') return
  call.sequence += 1
  const { leg } = subject
  const fact = {
    type,
    callId: call.id,
    sequence: call.sequence,
    at,
    call: callSeen(call),
    user: subject.user,
    queue: leg ? leg.queue : (lastVisit(call, 'queue')?.name ?? null),
    ringGroup: leg ? leg.ringGroup : (lastVisit(call, 'ring_group')?.name ?? null),
    ivr: call.ivr && { ...call.ivr },
    details,
  }
  // The fields fit `T` by this function's own signature; TypeScript cannot relate a generic to the union's members.
  draft.facts.push(fact as unknown as Fact)
}

export function callSeen(call: OpenCall): CallSeen {
  return {
    direction: call.kind === 'silent' || call.kind === 'undecided' ? 'internal' : call.kind,
    source: { ...call.source },
    destinationRaw: call.destinationRaw,
    startedAt: call.startedAt,
    answeredAt: call.answeredAt,
    endedAt: null,
    talker: call.talker,
    via: call.via,
    leadId: call.leadId,
  }
}
