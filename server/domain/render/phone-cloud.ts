/**
 * The wire format of the Phone Cloud webhooks: flat, by its names, in its order (`events.md` section 4 has the table).
 * What we do not have is null: the e-mail that its voicemail service sends.
 */
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventCatalogue } from '#contracts/events/catalogue.ts'
import type { CallRecord, UserRef } from '#contracts/events/facts.ts'
import type { Pairs } from '#server/domain/render/mapped.ts'

/** None for a type that the format does not have: such a trigger is refused when the webhook is saved. */
export function phoneCloudPairs(event: Event): Pairs {
  const type = eventCatalogue[event.type].phoneCloudType
  return type === null ? [] : [['type', type], ...valuesOf(event)]
}

type CallOf = EventOf<'user.inbound.ringing'>['call']

function valuesOf(event: Event): Pairs {
  switch (event.type) {
    case 'user.inbound.ringing':
      return [...caller(event.call, true), ...leg(event), ...group(event)]
    case 'user.inbound.answered':
      return [
        ...caller(event.call, true),
        ...leg(event),
        ...group(event),
        ['connected_at', event.occurred_at],
      ]
    case 'user.inbound.completed':
      return [
        ...caller(event.call, false),
        ...leg(event),
        ...durations(event.part),
        ...group(event),
      ]
    case 'user.outbound.placed':
      return [...caller(event.call, false), ...leg(event)]
    case 'user.outbound.answered':
      return [...caller(event.call, false), ...leg(event), ['connected_at', event.occurred_at]]
    case 'user.outbound.completed':
      return [...caller(event.call, false), ...leg(event), ...durations(event.part)]
    case 'queue.call.summary':
      return [...summary(event.call, event.queue), ['queue_name', event.queue.name]]
    case 'ring_group.call.summary':
      return [...summary(event.call, event.ring_group), ['ring_group_name', event.ring_group.name]]
    case 'voicemail.left':
      return [...recorded(event.call, event.voicemail.recorded_at), ['audio_file', audioOf(event)]]
    case 'recording.inbound.completed':
      return [
        ...recorded(event.call, event.recording.recorded_at),
        ['call_recording_link', event.recording.url],
      ]
    case 'recording.outbound.completed':
      return [
        ...recorded(event.call, event.recording.recorded_at),
        ['call_recording_link', event.recording.url],
        ...userOf(event.user),
      ]
    case 'webhook_component_event':
      return [
        ['unique_call_id', event.call.uuid],
        // Of the caller, whatever these keys mean elsewhere.
        ['user_name', event.call.source.name],
        ['user_number', event.call.source.raw],
        ['dest_number', event.call.destination.raw],
        ['call_start_at', event.call.started_at],
        ['component_name', event.component.name],
      ]
    default:
      return []
  }
}

const caller = ({ uuid, source }: CallOf, named: boolean): Pairs => [
  ['unique_call_id', uuid],
  ['caller_id', source.raw],
  ...(named ? ([['caller_name', source.name]] as const) : []),
]

const userOf = (user: UserRef | null): Pairs => [
  ['user_name', user?.name ?? null],
  ['user_number', user?.extension_number ?? null],
]

const leg = ({ call, user }: { call: CallOf; user: UserRef | null }): Pairs => [
  ...userOf(user),
  ['dest_number', call.destination.raw],
  ['call_start_at', call.started_at],
]

const group = ({
  queue,
  ring_group,
}: Pick<EventOf<'user.inbound.ringing'>, 'queue' | 'ring_group'>): Pairs => [
  ['queue_name', queue?.name ?? null],
  ['ring_group_name', ring_group?.name ?? null],
]

const durations = (part: EventOf<'user.inbound.completed'>['part']): Pairs => [
  ['connected_at', part.answered_at],
  ['call_duration', part.duration],
  ['conversation_duration', part.talk_duration],
]

type QueueOf = EventOf<'queue.call.summary'>['queue']
type RingGroupOf = EventOf<'ring_group.call.summary'>['ring_group']

/** A call may have been answered before it came here: who is named here, talked from the answer here. */
const summary = (call: CallRecord, visit: QueueOf | RingGroupOf): Pairs => [
  ...caller(call, true),
  ...leg({ call, user: visit.answered_by }),
  ['connected_at', visit.answered_at],
  ['call_duration', call.duration],
  ['conversation_duration', visit.talk_duration],
]

const recorded = ({ uuid, source, destination }: CallOf, at: string): Pairs => [
  ['unique_call_id', uuid],
  ['caller_id', source.raw],
  ['dest_number', destination.raw],
  ['recorded_at', at],
  ['emails', null],
  ['email_subject', null],
  ['email_message', null],
]

const audioOf = ({
  voicemail: { audio_url: url },
}: EventOf<'voicemail.left'>): readonly string[] => (url === null ? [] : [url])
