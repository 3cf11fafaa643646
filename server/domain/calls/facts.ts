/**
 * What the fold tells: one fact per event, in the PBX's own terms. `describe` makes the native event of it by adding
 * what only Offhook knows (ids, account, service, users' settings, E.164). Times are epoch milliseconds.
 */
import type { CallEventType } from '#contracts/events/catalogue.ts'
import type {
  CallStatus,
  Direction,
  HangupCause,
  HangupInitiator,
  LegOutcome,
  Reached,
} from '#contracts/events/facts.ts'
import type { ToldRecording } from '#server/domain/calls/state.ts'

export interface UserSeen {
  readonly extension: string
  /** As the PBX displayed it; the directory knows better. */
  readonly name: string | null
}

export interface CallSeen {
  readonly direction: Direction
  readonly source: {
    readonly raw: string | null
    readonly name: string | null
    readonly anonymous: boolean
    /** Set when the source is a user of the PBX. */
    readonly user: UserSeen | null
  }
  readonly destinationRaw: string | null
  readonly startedAt: number
  readonly answeredAt: number | null
  readonly endedAt: number | null
  readonly talker: boolean
  readonly via: 'pickup' | null
  readonly leadId: string | null
}

export interface RecordSeen extends CallSeen {
  readonly endedAt: number
  readonly status: CallStatus
  readonly bridged: boolean
  readonly ringMs: number
  readonly waitMs: number
  readonly initiator: HangupInitiator
  readonly cause: HangupCause
  readonly q850: number | null
  readonly sipCode: number | null
  readonly answeredBy: UserSeen | null
  readonly divertedTo: string | null
  readonly incomplete: boolean
  /** Null: nothing was recorded. */
  readonly recording: ToldRecording | null
  /** Ids of calls that were joined into this one after they had told events of their own. */
  readonly merged: readonly string[]
}

export interface PartSeen {
  readonly startedAt: number
  readonly answeredAt: number | null
  readonly endedAt: number
  readonly outcome: LegOutcome
}

export interface LegSeen extends PartSeen {
  readonly kind: 'user' | 'external'
  readonly role: 'caller' | 'target'
  readonly user: UserSeen | null
  /** As the PBX displayed it. */
  readonly name: string | null
  readonly number: string | null
  readonly queue: string | null
  readonly ringGroup: string | null
  readonly via: 'pickup' | null
}

export interface TriedSeen {
  readonly user: UserSeen
  readonly attempts: number
  readonly ringMs: number
  readonly outcome: LegOutcome
}

/** Who answered in a queue or a ring group, when, and until that leg's end how long. */
export interface AnswerSeen {
  readonly answeredBy: UserSeen | null
  readonly answeredAt: number | null
  readonly talkMs: number
}

export interface QueueVisitSeen extends AnswerSeen {
  readonly name: string
  readonly outcome: 'completed' | 'abandoned' | 'timed_out' | 'left'
  readonly enteredAt: number
  readonly leftAt: number
  readonly position: number | null
  readonly tried: readonly TriedSeen[]
}

export interface RingGroupVisitSeen extends AnswerSeen {
  readonly name: string
  readonly outcome: 'completed' | 'abandoned' | 'no_answer'
  readonly enteredAt: number
  readonly leftAt: number
  readonly tried: readonly TriedSeen[]
}

/** What a type of fact says beyond the call, its user, queue, ring group and IVR. */
interface Details {
  'call.missed': { readonly record: RecordSeen; readonly reached: Reached | null }
  'call.ended': { readonly record: RecordSeen; readonly legs: readonly LegSeen[] }
  'call.transferred': {
    readonly kind: 'blind' | 'attended'
    readonly to: string | null
    readonly mergedCallId: string | null
  }
  'ivr.option_selected': { readonly valid: boolean }
  'user.inbound.completed': { readonly part: PartSeen }
  'user.outbound.completed': { readonly part: PartSeen }
  'queue.call.summary': { readonly record: RecordSeen; readonly visit: QueueVisitSeen }
  'ring_group.call.summary': { readonly record: RecordSeen; readonly visit: RingGroupVisitSeen }
  'voicemail.left': {
    readonly mailbox: string
    readonly file: string
    readonly durationMs: number | null
  }
  'recording.inbound.completed': RecordingSeen
  'recording.outbound.completed': RecordingSeen
  webhook_component_event: {
    readonly name: string
    readonly parameters: Readonly<Record<string, string>>
  }
}

interface RecordingSeen {
  readonly file: string
  readonly startedAt: number
  readonly bytes: number | null
  readonly durationMs: number | null
}

export type DetailsOf<T extends CallEventType> = T extends keyof Details ? Details[T] : null

interface FactOf<T extends CallEventType> {
  readonly type: T
  /** Unique id of the channel that began the call: the call's identity on the PBX. */
  readonly callId: string
  readonly sequence: number
  readonly at: number
  readonly call: CallSeen
  readonly user: UserSeen | null
  readonly queue: string | null
  readonly ringGroup: string | null
  readonly ivr: { readonly name: string; readonly option: string | null } | null
  readonly details: DetailsOf<T>
}

export type Fact = { [T in CallEventType]: FactOf<T> }[CallEventType]
