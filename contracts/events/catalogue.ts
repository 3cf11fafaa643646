/**
 * The event catalogue: every type of event once, with what it means, its shape, and the names that the seed
 * documents and the Phone Cloud wire format have for it. Triggers, samples, JSON Schema, the field list of the
 * mapping form and the event reference are made from this table; nothing else repeats the list.
 */
import { z } from 'zod'
import {
  AccountRef,
  Call,
  CallRecord,
  Component,
  DisabledWebhook,
  IvrRef,
  Leg,
  LinkDown,
  LinkUp,
  QueueRef,
  QueueSummary,
  Reached,
  Recording,
  RingGroupRef,
  RingGroupSummary,
  ServiceRef,
  Timestamp,
  Transfer,
  UserPart,
  UserRef,
  Voicemail,
} from '#contracts/events/facts.ts'
import { EventId } from '#contracts/ids.ts'

const sequence = z.int().min(1).meta({
  label: 'Sequence',
  description: 'Position within the call, from 1, without gaps.',
})
const noSequence = z
  .null()
  .meta({ label: 'Sequence', description: 'Null: not an event of a call.' })

const envelope = z.object({
  id: EventId.meta({
    label: 'Event ID',
    description: 'Unique, and the same over retries, resends and backfill: deduplicate by it.',
  }),
  type: z.string(),
  occurred_at: Timestamp.meta({ label: 'Date/Time', description: 'When it happened on the PBX.' }),
  sequence: noSequence,
  backfilled: z.boolean().meta({
    label: 'Backfilled',
    description: 'True: read after a gap, not live.',
  }),
  account: AccountRef,
  service: ServiceRef,
})

const typeName = <T extends string>(type: T) => ({
  type: z.literal(type).meta({ label: 'Event type', description: 'What happened.' }),
})

const callContext = envelope.extend({
  sequence,
  call: Call,
  user: UserRef.nullable(),
  queue: QueueRef.nullable(),
  ring_group: RingGroupRef.nullable(),
  ivr: IvrRef.nullable(),
})

/** Shape of an event of a call: the same keys in each, null where a fact does not apply. */
const callEvent = <T extends string, S extends z.ZodRawShape>(type: T, more: S) =>
  callContext.extend(typeName(type)).extend(more)

/** Shape of an event of a service that belongs to no call. */
const serviceEvent = <T extends string, S extends z.ZodRawShape>(type: T, more: S) =>
  envelope.extend(typeName(type)).extend(more)

/** Shape of an event of an account; `service` is null where it concerns none. */
const accountEvent = <T extends string, S extends z.ZodRawShape>(type: T, more: S) =>
  envelope.extend({ service: ServiceRef.nullable() }).extend(typeName(type)).extend(more)

interface EventTypeEntry<S extends z.ZodObject = z.ZodObject, P = string | null> {
  /** The trigger's name in forms; the seed documents' wording where they have one. */
  readonly label: string
  readonly description: string
  /** Which kind of webhook offers it: one of the account, or one of a PBX. */
  readonly scope: 'account' | 'service'
  /** Further names of the trigger in the seed documents. */
  readonly seedTriggers: readonly string[]
  /** `type` string in the Phone Cloud wire format, where that format has the event. */
  readonly phoneCloudType: P
  readonly schema: S
}

const entry = <S extends z.ZodObject, const P extends string | null>(
  e: EventTypeEntry<S, P>,
): EventTypeEntry<S, P> => e

export const eventCatalogue = {
  'user.created': entry({
    label: 'Create User',
    description: 'A user of a service was created: came into its PBX document, whoever did it.',
    scope: 'account',
    seedTriggers: [],
    phoneCloudType: null,
    schema: serviceEvent('user.created', { user: UserRef }),
  }),
  'user.modified': entry({
    label: 'Modify User',
    description:
      'A user of a service was changed; says which fields. A new phone, extension or PIN too: of a secret, only its name is told.',
    scope: 'account',
    seedTriggers: [],
    phoneCloudType: null,
    schema: serviceEvent('user.modified', {
      user: UserRef,
      changed_fields: z.array(z.string()).meta({
        label: 'Changed fields',
        description: 'Names of the fields of the PBX document that changed; never their values.',
      }),
    }),
  }),
  'user.deleted': entry({
    label: 'Delete User',
    description:
      'A user of a service was deleted, by itself or with the whole service; the user as it last was.',
    scope: 'account',
    seedTriggers: [],
    phoneCloudType: null,
    schema: serviceEvent('user.deleted', { user: UserRef }),
  }),
  'call.inbound.received': entry({
    label: 'Inbound Call Received',
    description: 'A call from outside reached the PBX. Once per call.',
    scope: 'service',
    seedTriggers: ['Call Start'],
    phoneCloudType: null,
    schema: callEvent('call.inbound.received', {}),
  }),
  'call.inbound.answered': entry({
    label: 'Inbound Call Answered',
    description:
      'The first person on the PBX answered an inbound call. Not: IVR, queue or voicemail answering, an external diversion; a pick-up by ** only for webhooks with count_pickups.',
    scope: 'service',
    seedTriggers: ['Call Answer'],
    phoneCloudType: null,
    schema: callEvent('call.inbound.answered', {}),
  }),
  'call.outbound.placed': entry({
    label: 'Outbound Call Placed',
    description: 'A user’s call went out to the carrier.',
    scope: 'service',
    seedTriggers: ['Call Start'],
    phoneCloudType: null,
    schema: callEvent('call.outbound.placed', {}),
  }),
  'call.outbound.answered': entry({
    label: 'Outbound Call Answered',
    description: 'The called party of an outbound call answered.',
    scope: 'service',
    seedTriggers: ['Call Answer'],
    phoneCloudType: null,
    schema: callEvent('call.outbound.answered', {}),
  }),
  'call.internal.placed': entry({
    label: 'Internal Call Placed',
    description: 'A user called another extension.',
    scope: 'service',
    seedTriggers: ['Call Start'],
    phoneCloudType: null,
    schema: callEvent('call.internal.placed', {}),
  }),
  'call.internal.answered': entry({
    label: 'Internal Call Answered',
    description: 'The first person called from another extension answered.',
    scope: 'service',
    seedTriggers: ['Call Answer'],
    phoneCloudType: null,
    schema: callEvent('call.internal.answered', {}),
  }),
  'call.missed': entry({
    label: 'Call Missed',
    description: 'An inbound call ended and no person answered it; says how far it came.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: null,
    schema: callEvent('call.missed', {
      call: CallRecord,
      reached: Reached.nullable().meta({
        label: 'Reached',
        description:
          'The last object that the call came to: IVR, queue, ring group, user or voicemail.',
      }),
    }),
  }),
  'call.transferred': entry({
    label: 'Call Transferred',
    description: 'A user transferred the call, blind or attended.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: null,
    schema: callEvent('call.transferred', { transfer: Transfer }),
  }),
  'call.ended': entry({
    label: 'Call Ended',
    description: 'All legs of the call are gone: the whole record. Once per call.',
    scope: 'service',
    seedTriggers: ['Call End'],
    phoneCloudType: null,
    schema: callEvent('call.ended', {
      call: CallRecord,
      legs: z.array(Leg).meta({ label: 'Legs', description: 'Every leg: who, when, outcome.' }),
    }),
  }),
  'ivr.received': entry({
    label: 'IVR Call Received',
    description: 'The call entered an IVR.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: null,
    schema: callEvent('ivr.received', { ivr: IvrRef }),
  }),
  'ivr.option_selected': entry({
    label: 'IVR Option Selected',
    description: 'The caller chose an option of an IVR, valid or not, or let the time pass.',
    scope: 'service',
    seedTriggers: ['IVR Selected'],
    phoneCloudType: null,
    schema: callEvent('ivr.option_selected', {
      ivr: IvrRef.extend({
        valid: z.boolean().meta({
          label: 'Option valid',
          description: 'False: the IVR has no such option, or the caller chose none in time.',
        }),
      }),
    }),
  }),
  'user.inbound.ringing': entry({
    label: 'User inbound call',
    description: 'A user’s phone started to ring; with the queue or ring group that chose it.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'user_inbound',
    schema: callEvent('user.inbound.ringing', { user: UserRef }),
  }),
  'user.inbound.answered': entry({
    label: 'User inbound call answered',
    description: 'That user answered.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'user_inbound_answered',
    schema: callEvent('user.inbound.answered', { user: UserRef }),
  }),
  'user.inbound.completed': entry({
    label: 'User inbound call completion',
    description: 'That user’s part of the call is over.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'user_inbound_completed',
    schema: callEvent('user.inbound.completed', { user: UserRef, part: UserPart }),
  }),
  'user.outbound.placed': entry({
    label: 'User outbound call',
    description: 'A user made a call, to outside or to another extension.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'user_outbound',
    schema: callEvent('user.outbound.placed', { user: UserRef }),
  }),
  'user.outbound.answered': entry({
    label: 'User outbound call answered',
    description: 'The called party of that call answered.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'user_outbound_answered',
    schema: callEvent('user.outbound.answered', { user: UserRef }),
  }),
  'user.outbound.completed': entry({
    label: 'User outbound call completion',
    description: 'The calling user’s part of that call is over.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'user_outbound_completed',
    schema: callEvent('user.outbound.completed', { user: UserRef, part: UserPart }),
  }),
  'queue.call.summary': entry({
    label: 'Queue call summary',
    description: 'A call delivered through a queue has ended.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'queue_call',
    schema: callEvent('queue.call.summary', { call: CallRecord, queue: QueueSummary }),
  }),
  'ring_group.call.summary': entry({
    label: 'Ring group call summary',
    description: 'A call delivered through a ring group has ended.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'ring_group_call',
    schema: callEvent('ring_group.call.summary', {
      call: CallRecord,
      ring_group: RingGroupSummary,
    }),
  }),
  'voicemail.left': entry({
    label: 'Voicemail',
    description: 'A voicemail message was left.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'voicemail',
    schema: callEvent('voicemail.left', { voicemail: Voicemail }),
  }),
  'recording.inbound.completed': entry({
    label: 'Inbound call recording',
    description: 'The recording of an inbound call is complete.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'recording_inbound',
    schema: callEvent('recording.inbound.completed', { recording: Recording }),
  }),
  'recording.outbound.completed': entry({
    label: 'Outbound call recording',
    description: 'The recording of a call that a user made is complete.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'recording_outbound',
    schema: callEvent('recording.outbound.completed', { recording: Recording }),
  }),
  webhook_component_event: entry({
    label: 'Webhook component event',
    description: 'The call passed a Webhook object of the call flow.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: 'webhook_component_event',
    schema: callEvent('webhook_component_event', { component: Component }),
  }),
  'service.link.down': entry({
    label: 'PBX link down',
    description: 'Offhook lost the PBX. Calls go on; their events follow when the link is back.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: null,
    schema: serviceEvent('service.link.down', { link: LinkDown }),
  }),
  'service.link.up': entry({
    label: 'PBX link up',
    description:
      'Offhook regained the PBX; says which gap was read back and how many events it held.',
    scope: 'service',
    seedTriggers: [],
    phoneCloudType: null,
    schema: serviceEvent('service.link.up', { link: LinkUp }),
  }),
  'webhook.disabled': entry({
    label: 'Webhook disabled',
    description: 'A webhook was disabled automatically, and why.',
    scope: 'account',
    seedTriggers: [],
    phoneCloudType: null,
    schema: accountEvent('webhook.disabled', { webhook: DisabledWebhook }),
  }),
} as const satisfies Record<string, EventTypeEntry>

export type EventType = keyof typeof eventCatalogue
export const eventTypes = Object.keys(eventCatalogue) as [EventType, ...EventType[]]
export const EventTypeName = z.enum(eventTypes)

/** One event of the given type, in the native form. */
export type EventOf<T extends EventType> = z.infer<(typeof eventCatalogue)[T]['schema']>
/** Any event, in the native form: what is stored and what the `native` payload sends. */
export type Event = { [T in EventType]: EventOf<T> }[EventType]

/** Types whose events belong to a call, and so carry `call` and `sequence`. */
export type CallEventType = Extract<Event, { sequence: number }>['type']
export type CallEvent = Extract<Event, { sequence: number }>
