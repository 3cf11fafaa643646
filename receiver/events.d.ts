/* Made from contracts/events/ by `npm run docs`. */

/**
 * An event in the native form; `type` tells which.
 */
export type OffhookEvent =
  | UserCreated
  | UserModified
  | UserDeleted
  | CallInboundReceived
  | CallInboundAnswered
  | CallOutboundPlaced
  | CallOutboundAnswered
  | CallInternalPlaced
  | CallInternalAnswered
  | CallMissed
  | CallTransferred
  | CallEnded
  | IvrReceived
  | IvrOptionSelected
  | UserInboundRinging
  | UserInboundAnswered
  | UserInboundCompleted
  | UserOutboundPlaced
  | UserOutboundAnswered
  | UserOutboundCompleted
  | QueueCallSummary
  | RingGroupCallSummary
  | VoicemailLeft
  | RecordingInboundCompleted
  | RecordingOutboundCompleted
  | WebhookComponentEvent
  | ServiceLinkDown
  | ServiceLinkUp
  | WebhookDisabled

export interface UserCreated {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.created'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Null: not an event of a call.
   */
  sequence: null
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  user: UserRef
}
export interface AccountRef {
  /**
   * The account that the service belongs to.
   */
  id: string
  /**
   * The name of that account.
   */
  name: string
}
export interface ServiceRef {
  /**
   * Unique identifier of the service; the services API lists them.
   */
  uuid: string
  /**
   * System configured name of the service.
   */
  name: string
  /**
   * User configured name of the service.
   */
  friendly_name: string
  /**
   * Always hosted_pbx.
   */
  type: 'hosted_pbx'
}
export interface UserRef {
  /**
   * Identifier of the user; null for a user that Offhook does not configure.
   */
  uuid: string | null
  /**
   * The internal number of the user.
   */
  extension_number: string
  /**
   * The name of the user.
   */
  name: string | null
  /**
   * The number that the user shows on outbound calls.
   */
  outbound_phone_number: string | null
  /**
   * True: voicemail is enabled.
   */
  has_voicemail: boolean | null
  /**
   * The call types that the user may place.
   */
  enabled_calls:
    | (
        | 'Local'
        | 'National'
        | 'Mobile'
        | 'International'
        | 'International Other'
        | 'Premium'
        | 'Other'
      )[]
    | null
}
export interface UserModified {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.modified'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Null: not an event of a call.
   */
  sequence: null
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  user: UserRef
  /**
   * Names of the fields of the PBX document that changed; never their values.
   */
  changed_fields: string[]
}
export interface UserDeleted {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.deleted'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Null: not an event of a call.
   */
  sequence: null
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  user: UserRef
}
export interface CallInboundReceived {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.inbound.received'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface Call {
  /**
   * The unique identifier of the call, the same over all its legs and events.
   */
  uuid: string
  /**
   * inbound, outbound or internal.
   */
  direction: 'inbound' | 'outbound' | 'internal'
  source: {
    /**
     * The number of the caller in E.164, or null where it cannot be derived (an extension, a withheld number, no country set).
     */
    number: string | null
    /**
     * The number of the caller as the PBX had it; null where it had none.
     */
    raw: string | null
    /**
     * The name of the caller, as displayed or as configured.
     */
    name: string | null
    /**
     * The caller withheld the number.
     */
    anonymous: boolean
  }
  destination: {
    /**
     * The number of the dialled destination in E.164, or null where it cannot be derived (an extension, a withheld number, no country set).
     */
    number: string | null
    /**
     * The number of the dialled destination as the PBX had it; null where it had none.
     */
    raw: string | null
    /**
     * The name of the dialled destination, as displayed or as configured.
     */
    name: string | null
  }
  /**
   * The number used as identity of the call: of the caller inbound, of the user outbound.
   */
  caller_id_number: string | null
  /**
   * When the call arrived on or left the PBX.
   */
  started_at: string
  /**
   * When the first person answered; null before and if nobody did.
   */
  answered_at: string | null
  /**
   * When the last leg was gone; null while the call lasts.
   */
  ended_at: string | null
  /**
   * True: a person on the PBX talked. False: not answered, or diverted externally.
   */
  talker: boolean
  /**
   * "pickup" when another user took the call with the pick-up code.
   */
  via: 'pickup' | null
  /**
   * The lead ID passed through from the call.
   */
  lead_id: string | null
}
export interface QueueRef {
  /**
   * The queue that the call is or was in.
   */
  name: string
}
export interface RingGroupRef {
  /**
   * The ring group that the call is or was in.
   */
  name: string
}
export interface IvrRef {
  /**
   * The name of the IVR.
   */
  name: string
  /**
   * The option selected by the caller at the IVR; null before a choice and on timeout.
   */
  option: string | null
}
export interface CallInboundAnswered {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.inbound.answered'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface CallOutboundPlaced {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.outbound.placed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface CallOutboundAnswered {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.outbound.answered'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface CallInternalPlaced {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.internal.placed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface CallInternalAnswered {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.internal.answered'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface CallMissed {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.missed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: CallRecord
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  /**
   * The last object that the call came to: IVR, queue, ring group, user or voicemail.
   */
  reached: ('ivr' | 'queue' | 'ring_group' | 'user' | 'voicemail') | null
}
export interface CallRecord {
  /**
   * The unique identifier of the call, the same over all its legs and events.
   */
  uuid: string
  /**
   * inbound, outbound or internal.
   */
  direction: 'inbound' | 'outbound' | 'internal'
  source: {
    /**
     * The number of the caller in E.164, or null where it cannot be derived (an extension, a withheld number, no country set).
     */
    number: string | null
    /**
     * The number of the caller as the PBX had it; null where it had none.
     */
    raw: string | null
    /**
     * The name of the caller, as displayed or as configured.
     */
    name: string | null
    /**
     * The caller withheld the number.
     */
    anonymous: boolean
  }
  destination: {
    /**
     * The number of the dialled destination in E.164, or null where it cannot be derived (an extension, a withheld number, no country set).
     */
    number: string | null
    /**
     * The number of the dialled destination as the PBX had it; null where it had none.
     */
    raw: string | null
    /**
     * The name of the dialled destination, as displayed or as configured.
     */
    name: string | null
  }
  /**
   * The number used as identity of the call: of the caller inbound, of the user outbound.
   */
  caller_id_number: string | null
  /**
   * When the call arrived on or left the PBX.
   */
  started_at: string
  /**
   * When the first person answered; null before and if nobody did.
   */
  answered_at: string | null
  /**
   * When the last leg was gone; null while the call lasts.
   */
  ended_at: string | null
  /**
   * True: a person on the PBX talked. False: not answered, or diverted externally.
   */
  talker: boolean
  /**
   * "pickup" when another user took the call with the pick-up code.
   */
  via: 'pickup' | null
  /**
   * The lead ID passed through from the call.
   */
  lead_id: string | null
  /**
   * How the call ended for its caller.
   */
  status: 'answered' | 'missed' | 'busy' | 'canceled' | 'failed' | 'voicemail'
  /**
   * The two sides were connected.
   */
  bridged: boolean
  /**
   * Total seconds, with set-up and ringing.
   */
  duration: number
  /**
   * Seconds from answer to end; 0 when not answered.
   */
  bill_duration: number
  /**
   * Seconds in which a phone rang before the first answer.
   */
  ring_duration: number
  /**
   * Seconds waiting in queues.
   */
  wait_duration: number
  hangup: Hangup
  /**
   * The user who answered first.
   */
  answered_by: UserRef | null
  /**
   * The outside number that the call was diverted to.
   */
  diverted_to: string | null
  /**
   * Link to the first recording of the call, as in its own event.
   */
  recording_url: string | null
  /**
   * True: the PBX died or lost the call, the end is the last time at which it was known to live.
   */
  incomplete: boolean
  /**
   * Calls that were joined into this one by an attended transfer or a pick-up.
   */
  merged_uuids: string[]
}
export interface Hangup {
  /**
   * The side that ended the call: caller, callee, or the system itself.
   */
  initiator: 'caller' | 'callee' | 'system'
  /**
   * Why the call ended.
   */
  cause: 'Answered' | 'Busy' | 'Canceled' | 'Failed' | 'No Answer'
  /**
   * The Q.850 cause code as the network gave it.
   */
  q850: number | null
  /**
   * The name of that cause.
   */
  text: string | null
  /**
   * The final SIP response of the phone or line that was called. Null where several were, where it was called off while it rang, and where the PBX does not tell it.
   */
  sip_code: number | null
}
export interface CallTransferred {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.transferred'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  transfer: Transfer
}
export interface Transfer {
  /**
   * blind or attended.
   */
  kind: 'blind' | 'attended'
  /**
   * The user who transferred.
   */
  by: UserRef | null
  /**
   * The extension or number that the call was transferred to.
   */
  to: string | null
  /**
   * The call UUID under which the consultation ran until now, where it had its own.
   */
  merged_uuid: string | null
}
export interface CallEnded {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'call.ended'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: CallRecord
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  /**
   * Every leg: who, when, outcome.
   */
  legs: Leg[]
}
export interface Leg {
  /**
   * A user’s phone, or an outside number.
   */
  kind: 'user' | 'external'
  /**
   * caller: made the call; target: was called.
   */
  role: 'caller' | 'target'
  /**
   * The user, for kind user.
   */
  extension_number: string | null
  /**
   * The name of the party.
   */
  name: string | null
  /**
   * The outside number, for kind external, as the PBX had it.
   */
  number: string | null
  /**
   * The queue that chose the user.
   */
  queue: string | null
  /**
   * The ring group that chose the user.
   */
  ring_group: string | null
  /**
   * "pickup": took the call with the pick-up code.
   */
  via: 'pickup' | null
  /**
   * When the phone started to ring, or the user dialled.
   */
  started_at: string
  /**
   * When this part was answered.
   */
  answered_at: string | null
  /**
   * When this part was over.
   */
  ended_at: string
  /**
   * Seconds from start to end.
   */
  duration: number
  /**
   * Seconds from answer to end; 0 when not answered.
   */
  talk_duration: number
  /**
   * completed, missed, busy, rejected, answered_elsewhere or failed.
   */
  outcome: 'completed' | 'missed' | 'busy' | 'rejected' | 'answered_elsewhere' | 'failed'
}
export interface IvrReceived {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'ivr.received'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef
}
export interface IvrOptionSelected {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'ivr.option_selected'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: {
    /**
     * The name of the IVR.
     */
    name: string
    /**
     * The option selected by the caller at the IVR; null before a choice and on timeout.
     */
    option: string | null
    /**
     * False: the IVR has no such option, or the caller chose none in time.
     */
    valid: boolean
  }
}
export interface UserInboundRinging {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.inbound.ringing'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface UserInboundAnswered {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.inbound.answered'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface UserInboundCompleted {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.inbound.completed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  part: UserPart
}
export interface UserPart {
  /**
   * When the phone started to ring, or the user dialled.
   */
  started_at: string
  /**
   * When this part was answered.
   */
  answered_at: string | null
  /**
   * When this part was over.
   */
  ended_at: string
  /**
   * Seconds from start to end.
   */
  duration: number
  /**
   * Seconds from answer to end; 0 when not answered.
   */
  talk_duration: number
  /**
   * completed, missed, busy, rejected, answered_elsewhere or failed.
   */
  outcome: 'completed' | 'missed' | 'busy' | 'rejected' | 'answered_elsewhere' | 'failed'
}
export interface UserOutboundPlaced {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.outbound.placed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface UserOutboundAnswered {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.outbound.answered'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface UserOutboundCompleted {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'user.outbound.completed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  part: UserPart
}
export interface QueueCallSummary {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'queue.call.summary'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: CallRecord
  user: UserRef | null
  queue: QueueSummary
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
}
export interface QueueSummary {
  /**
   * The queue that the call is or was in.
   */
  name: string
  /**
   * completed: an agent talked; abandoned: the caller hung up waiting; timed_out: nobody answered in time; left: any other way out.
   */
  outcome: 'completed' | 'abandoned' | 'timed_out' | 'left'
  /**
   * When the call entered the queue.
   */
  entered_at: string
  /**
   * When an agent answered, or the call left the queue.
   */
  left_at: string
  /**
   * Seconds from entering to answer or leaving.
   */
  wait_duration: number
  /**
   * Position in the queue on entering; null where queue_log is not read.
   */
  position: number | null
  /**
   * The agent who answered; null where it was an outside number.
   */
  answered_by: UserRef | null
  /**
   * When an agent answered; null if none did.
   */
  answered_at: string | null
  /**
   * Seconds from that answer until this agent’s part of the call was over; 0 when not answered.
   */
  talk_duration: number
  /**
   * In order of first ringing.
   */
  agents_tried: {
    /**
     * A user whose phone rang.
     */
    extension_number: string
    /**
     * The name of that user.
     */
    name: string | null
    /**
     * How often that phone rang.
     */
    attempts: number
    /**
     * Seconds that the phone rang in all.
     */
    ring_duration: number
    /**
     * What came of the last attempt.
     */
    outcome: 'completed' | 'missed' | 'busy' | 'rejected' | 'answered_elsewhere' | 'failed'
  }[]
}
export interface RingGroupCallSummary {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'ring_group.call.summary'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: CallRecord
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupSummary
  ivr: IvrRef | null
}
export interface RingGroupSummary {
  /**
   * The ring group that the call is or was in.
   */
  name: string
  /**
   * completed: a member talked; abandoned: the caller hung up; no_answer: nobody answered.
   */
  outcome: 'completed' | 'abandoned' | 'no_answer'
  /**
   * When the call entered the ring group.
   */
  entered_at: string
  /**
   * Seconds from entering to answer or leaving.
   */
  ring_duration: number
  /**
   * The member who answered.
   */
  answered_by: UserRef | null
  /**
   * When a member answered; null if none did.
   */
  answered_at: string | null
  /**
   * Seconds from that answer until this member’s part of the call was over; 0 when not answered.
   */
  talk_duration: number
  /**
   * In order of first ringing.
   */
  members_tried: {
    /**
     * A user whose phone rang.
     */
    extension_number: string
    /**
     * The name of that user.
     */
    name: string | null
    /**
     * How often that phone rang.
     */
    attempts: number
    /**
     * Seconds that the phone rang in all.
     */
    ring_duration: number
    /**
     * What came of the last attempt.
     */
    outcome: 'completed' | 'missed' | 'busy' | 'rejected' | 'answered_elsewhere' | 'failed'
  }[]
}
export interface VoicemailLeft {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'voicemail.left'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  voicemail: Voicemail
}
export interface Voicemail {
  /**
   * The mailbox that the message was left in.
   */
  mailbox: string
  /**
   * When the message was left.
   */
  recorded_at: string
  /**
   * Length of the message; null where the PBX does not tell.
   */
  duration: number | null
  /**
   * Name of the audio file on the PBX.
   */
  file: string
  /**
   * Link to the audio that works without an API key for a time after the event; null: OFFHOOK_PUBLIC_URL is not set, or Offhook cannot read the files of the PBX.
   */
  audio_url: string | null
}
export interface RecordingInboundCompleted {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'recording.inbound.completed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  recording: Recording
}
export interface Recording {
  /**
   * When the recording started.
   */
  recorded_at: string
  /**
   * Length of the audio; null where the PBX does not tell.
   */
  duration: number | null
  /**
   * Size of the file.
   */
  bytes: number | null
  /**
   * Name of the audio file on the PBX.
   */
  file: string
  /**
   * Link to the audio that works without an API key for a time after the event; null: OFFHOOK_PUBLIC_URL is not set, or Offhook cannot read the files of the PBX.
   */
  url: string | null
}
export interface RecordingOutboundCompleted {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'recording.outbound.completed'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  recording: Recording
}
export interface WebhookComponentEvent {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'webhook_component_event'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Position within the call, from 1, without gaps.
   */
  sequence: number
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  call: Call
  user: UserRef | null
  queue: QueueRef | null
  ring_group: RingGroupRef | null
  ivr: IvrRef | null
  component: Component
}
export interface Component {
  /**
   * The name configured on the Webhook object.
   */
  name: string
  /**
   * Further values that the call flow passed.
   */
  parameters: {
    [k: string]: string
  }
}
export interface ServiceLinkDown {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'service.link.down'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Null: not an event of a call.
   */
  sequence: null
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  link: LinkDown
}
export interface LinkDown {
  /**
   * When Offhook lost the PBX.
   */
  down_since: string
  /**
   * What was seen: connection refused, closed, login refused, no answer, protocol error, address refused.
   */
  reason: string
}
export interface ServiceLinkUp {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'service.link.up'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Null: not an event of a call.
   */
  sequence: null
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef
  link: LinkUp
}
export interface LinkUp {
  /**
   * Start of the gap; null on the very first start.
   */
  down_since: string | null
  /**
   * When the PBX was reached again.
   */
  up_at: string
  /**
   * How many events of the gap were read from disk.
   */
  backfilled_events: number
}
export interface WebhookDisabled {
  /**
   * Unique, and the same over retries, resends and backfill: deduplicate by it.
   */
  id: string
  /**
   * What happened.
   */
  type: 'webhook.disabled'
  /**
   * When it happened on the PBX.
   */
  occurred_at: string
  /**
   * Null: not an event of a call.
   */
  sequence: null
  /**
   * True: read after a gap, not live.
   */
  backfilled: boolean
  account: AccountRef
  service: ServiceRef | null
  webhook: DisabledWebhook
}
export interface DisabledWebhook {
  /**
   * The webhook that was disabled.
   */
  id: string
  /**
   * Its name.
   */
  name: string
  /**
   * gone: the receiver answered 410; failing: nothing but failures for too long.
   */
  reason: 'gone' | 'failing'
  /**
   * When it was disabled.
   */
  disabled_at: string
}
