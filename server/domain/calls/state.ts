/**
 * The open calls: what the fold remembers between two rows. Plain JSON, so that it is stored in the same transaction
 * as the events that came of it and a restart between any two rows changes nothing.
 */
import type { Direction, LegOutcome, Reached } from '#contracts/events/facts.ts'
import type { UserSeen } from '#server/domain/calls/facts.ts'

/** One channel of a call. Local channels are kept because they connect bridges; they are never told as legs. */
export interface Leg {
  readonly id: string
  readonly channel: string
  readonly endpoint: string
  readonly startedAt: number
  kind: 'user' | 'external' | 'local'
  role: 'caller' | 'target'
  user: UserSeen | null
  number: string | null
  queue: string | null
  ringGroup: string | null
  via: 'pickup' | null
  /** Its ringing (target) or placing (caller) was told: completed is told only of such. */
  offered: boolean
  answeredAt: number | null
  endedAt: number | null
  hangup: { readonly cause: number; readonly source: string } | null
  outcome: LegOutcome | null
  bridge: string | null
  /** The bridge that it left last: an attended transfer names bridges that are empty by then. */
  lastBridge: string | null
  /** It transferred the call and is out of it: its hang-up is not the end of the call. */
  transferred: boolean
}

/** A stay in a queue or a ring group. */
export interface Visit {
  readonly kind: 'queue' | 'ring_group'
  readonly name: string
  /** The channel that is in it; queue_log knows the stay by it. */
  readonly legId: string
  readonly enteredAt: number
  leftAt: number | null
  answeredAt: number | null
  answeredBy: UserSeen | null
  /** The leg that answered: how long it talked shows at its end. */
  answeringLegId: string | null
  /** Status with which the dialplan left it: TIMEOUT, JOINEMPTY, NOANSWER, … */
  status: string | null
}

/** `undecided`: a user dialled something, not yet known what. `silent`: gives no events (feature codes, pick-up). */
export type CallKind = Direction | 'undecided' | 'silent'

export interface OpenCall {
  readonly id: string
  kind: CallKind
  /** The dialplan writes marks: then legs are told when marked, with the queue or ring group that chose them. */
  marked: boolean
  linkedIds: string[]
  sequence: number
  readonly startedAt: number
  /** Time of the latest row: where the call is closed if the PBX dies. */
  lastAt: number
  source: { raw: string | null; name: string | null; anonymous: boolean; user: UserSeen | null }
  destinationRaw: string | null
  /** Argument of the latest Dial(): where the number of an unmarked outside leg stands. */
  dialString: string
  placed: boolean
  answeredAt: number | null
  answeredBy: UserSeen | null
  bridged: boolean
  talker: boolean
  via: 'pickup' | null
  leadId: string | null
  /** The final SIP response of the only phone or line that was called. */
  sipCode: number | null
  divertedTo: string | null
  /** A phone has just sent the call elsewhere (302); its leg is the next to end. */
  forwarding: boolean
  /** Target of an attended transfer that is being prepared. */
  consulting: string | null
  legs: Leg[]
  visits: Visit[]
  ivr: { name: string; option: string | null } | null
  /** The last object on the caller's way. */
  reached: Reached | null
  reachedUser: UserSeen | null
  voicemailReached: boolean
  voicemailLeft: boolean
  recordings: { readonly file: string; readonly startedAt: number }[]
  /** The event that told of the first recording that was complete. */
  recorded: ToldRecording | null
  merged: string[]
  incomplete: boolean
}

/** Call and sequence make the id of the event. */
export interface ToldRecording {
  readonly callId: string
  readonly sequence: number
  readonly at: number
}

/** What queue_log said of a caller's channel; it may be read before the channel's first row. */
export interface QueueLogFacts {
  readonly at: number
  position: number | null
  outcome: 'completed' | 'abandoned' | 'timed_out' | 'left' | null
}

/** State of the fold for one PBX. */
export interface OpenCalls {
  readonly calls: ReadonlyMap<string, OpenCall>
  /** By channel unique id and queue: facts from queue_log for the summaries of calls that are not over. */
  readonly queueLog: ReadonlyMap<string, QueueLogFacts>
  /** A start of the PBX that queue_log told and that no row later than it has confirmed yet. */
  readonly bootAt: number | null
}

export const noCalls: OpenCalls = { calls: new Map(), queueLog: new Map(), bootAt: null }

export function newLeg(of: {
  id: string
  channel: string
  endpoint: string
  startedAt: number
  kind: Leg['kind']
  role: Leg['role']
  user: UserSeen | null
}): Leg {
  return {
    ...of,
    number: null,
    queue: null,
    ringGroup: null,
    via: null,
    offered: false,
    answeredAt: null,
    endedAt: null,
    hangup: null,
    outcome: null,
    bridge: null,
    lastBridge: null,
    transferred: false,
  }
}

export function newCall(first: Leg, linkedId: string, kind: CallKind): OpenCall {
  return {
    id: first.id,
    kind,
    marked: false,
    linkedIds: [linkedId],
    sequence: 0,
    startedAt: first.startedAt,
    lastAt: first.startedAt,
    source: { raw: null, name: null, anonymous: false, user: null },
    destinationRaw: null,
    dialString: '',
    placed: false,
    answeredAt: null,
    answeredBy: null,
    bridged: false,
    talker: false,
    via: null,
    leadId: null,
    sipCode: null,
    divertedTo: null,
    forwarding: false,
    consulting: null,
    legs: [first],
    visits: [],
    ivr: null,
    reached: null,
    reachedUser: null,
    voicemailReached: false,
    voicemailLeft: false,
    recordings: [],
    recorded: null,
    merged: [],
    incomplete: false,
  }
}

export function callerLeg(call: OpenCall): Leg {
  return call.legs[0] as Leg
}

export function findLeg(call: OpenCall, id: string): Leg | undefined {
  return call.legs.find((leg) => leg.id === id)
}

/** The name that the PBX displayed for a user earlier in the call. */
export function seenUser(call: OpenCall, extension: string): UserSeen {
  const seen = call.legs.find((leg) => leg.user?.extension === extension)?.user
  return { extension, name: seen?.name ?? null }
}

/** Legs that are phones or outside lines: what people would call the call's legs. */
export function realLegs(call: OpenCall): Leg[] {
  return call.legs.filter((leg) => leg.kind !== 'local')
}

export function openVisit(call: OpenCall, kind: Visit['kind']): Visit | undefined {
  return call.visits.findLast((v) => v.kind === kind && v.leftAt === null && v.answeredAt === null)
}

export function lastVisit(call: OpenCall, kind: Visit['kind']): Visit | undefined {
  return call.visits.findLast((v) => v.kind === kind)
}

/** The stored form: one text per open call, so that a batch writes only the calls that it changed, and one for the rest. */
export interface StoredCalls {
  readonly calls: ReadonlyMap<string, string>
  readonly rest: string
}

export function saveCalls(state: OpenCalls): StoredCalls {
  const calls = new Map([...state.calls].map(([id, call]) => [id, JSON.stringify(call)]))
  return {
    calls,
    rest: JSON.stringify({ queueLog: [...state.queueLog], bootAt: state.bootAt }),
  }
}

export function loadCalls(calls: Iterable<string>, rest: string | null): OpenCalls {
  const opened = [...calls].map((text) => JSON.parse(text) as OpenCall)
  // Order of beginning, whatever order the store kept: the events of a restart of the PBX come in it.
  opened.sort((a, b) => a.startedAt - b.startedAt)
  const { queueLog, bootAt } =
    rest === null
      ? { queueLog: [], bootAt: null }
      : (JSON.parse(rest) as { queueLog: [string, QueueLogFacts][]; bootAt: number | null })
  return {
    calls: new Map(opened.map((call) => [call.id, call])),
    queueLog: new Map(queueLog),
    bootAt,
  }
}
