/**
 * The wire format of the Phone Cloud webhooks: the variables of each of its types, in their order, and where in the
 * native event their values are. What is sent, the catalogue of the API and the event reference are made from this
 * table; what type a variable has, and whether it can be null, is that of the native field.
 */
import { type EventType, eventCatalogue } from '#contracts/events/catalogue.ts'
import { type EventField, listEventFields } from '#contracts/events/fields.ts'

export interface PhoneCloudField
  extends Pick<EventField, 'type' | 'unit' | 'nullable' | 'description'> {
  readonly name: string
  readonly source: Source
}

/** A path in the native event; what is the same in every request; a list of what is at the path, if anything is. */
type Source =
  | { readonly at: string }
  | { readonly always: string | null }
  | { readonly listOf: string }

export interface PhoneCloudFormat {
  /** What `type` says. */
  readonly type: string
  readonly fields: readonly PhoneCloudField[]
}

interface Variable {
  readonly name: string
  readonly source: Source
  /** Without: that of the native field. */
  readonly description?: string
}

const variable = (name: string, path: string, description?: string): Variable => ({
  name,
  source: { at: path },
  ...(description !== undefined && { description }),
})

const callId = variable('unique_call_id', 'call.uuid')
const callerId = variable('caller_id', 'call.source.raw')
const callerName = variable('caller_name', 'call.source.name')
const dialled = variable('dest_number', 'call.destination.raw')
const callStart = variable('call_start_at', 'call.started_at')

const person = (path: string, who: string): readonly Variable[] => [
  variable('user_name', `${path}.name`, `The name of ${who}.`),
  variable('user_number', `${path}.extension_number`, `The extension number of ${who}.`),
]

const called = person('user', 'the user who was called')
const calling = person('user', 'the user who made the call')

const chosenBy: readonly Variable[] = [
  variable('queue_name', 'queue.name', 'The queue that chose the user; null where none did.'),
  variable(
    'ring_group_name',
    'ring_group.name',
    'The ring group that chose the user; null where none did.',
  ),
]

const offered: readonly Variable[] = [
  callId,
  callerId,
  callerName,
  ...called,
  dialled,
  callStart,
  ...chosenBy,
]

const part = (answer: string): readonly Variable[] => [
  variable('connected_at', 'part.answered_at', answer),
  variable(
    'call_duration',
    'part.duration',
    'Seconds of this user’s part of the call, with the ringing.',
  ),
  variable(
    'conversation_duration',
    'part.talk_duration',
    'Seconds from that answer to the end of this part; 0 when not answered.',
  ),
]

const summary = (visit: string, who: string): readonly Variable[] => [
  callId,
  callerId,
  callerName,
  ...person(`${visit}.answered_by`, `the ${who} who answered; null where no user did`),
  dialled,
  callStart,
  variable('connected_at', `${visit}.answered_at`),
  variable('call_duration', 'call.duration', 'Seconds of the whole call, with set-up and ringing.'),
  variable('conversation_duration', `${visit}.talk_duration`),
]

const noMail: readonly Variable[] = ['emails', 'email_subject', 'email_message'].map((name) => ({
  name,
  source: { always: null },
  description: 'Offhook sends no e-mail.',
}))

const recorded = (recordedAt: string): readonly Variable[] => [
  callId,
  callerId,
  dialled,
  variable('recorded_at', recordedAt),
  ...noMail,
]

const recording: readonly Variable[] = [
  ...recorded('recording.recorded_at'),
  variable('call_recording_link', 'recording.url'),
]

type PhoneCloudTrigger = {
  [T in EventType]: (typeof eventCatalogue)[T]['phoneCloudType'] extends string ? T : never
}[EventType]

const variables: { readonly [T in PhoneCloudTrigger]: readonly Variable[] } = {
  'user.inbound.ringing': offered,
  'user.inbound.answered': [
    ...offered,
    variable('connected_at', 'occurred_at', 'When the user answered.'),
  ],
  'user.inbound.completed': [
    callId,
    callerId,
    ...called,
    dialled,
    callStart,
    ...part('When the user answered; null where the user did not.'),
    ...chosenBy,
  ],
  'user.outbound.placed': [callId, callerId, ...calling, dialled, callStart],
  'user.outbound.answered': [
    callId,
    callerId,
    ...calling,
    dialled,
    callStart,
    variable('connected_at', 'occurred_at', 'When the called party answered.'),
  ],
  'user.outbound.completed': [
    callId,
    callerId,
    ...calling,
    dialled,
    callStart,
    ...part('When the called party answered; null where nobody did.'),
  ],
  'queue.call.summary': [...summary('queue', 'agent'), variable('queue_name', 'queue.name')],
  'ring_group.call.summary': [
    ...summary('ring_group', 'member'),
    variable('ring_group_name', 'ring_group.name'),
  ],
  'voicemail.left': [
    ...recorded('voicemail.recorded_at'),
    {
      name: 'audio_file',
      source: { listOf: 'voicemail.audio_url' },
      description:
        'Link to the audio, in a list; the list is empty where OFFHOOK_PUBLIC_URL is not set, or Offhook cannot read the files of the PBX.',
    },
  ],
  'recording.inbound.completed': recording,
  'recording.outbound.completed': [...recording, ...calling],
  webhook_component_event: [
    callId,
    // Of the caller, whatever these names mean in the other types.
    variable('user_name', 'call.source.name'),
    variable('user_number', 'call.source.raw'),
    dialled,
    callStart,
    variable('component_name', 'component.name'),
  ],
}

function described(
  { name, source, description }: Variable,
  native: ReadonlyMap<string, EventField>,
): PhoneCloudField {
  if ('always' in source) {
    const always = source.always === null ? 'null' : 'text'
    const nullable = source.always === null
    return { name, source, type: always, unit: null, nullable, description: description ?? '' }
  }
  const path = 'at' in source ? source.at : source.listOf
  const field = native.get(path)
  if (field === undefined) throw new Error(`${name}: the event has no ${path}`)
  const shape = 'at' in source ? field : { type: 'list', unit: null, nullable: false }
  return {
    name,
    source,
    type: shape.type,
    unit: shape.unit,
    nullable: shape.nullable,
    description: description ?? field.description,
  }
}

/** By the trigger; those that the format does not have are not in it. */
export const phoneCloudFormats: ReadonlyMap<string, PhoneCloudFormat> = new Map(
  (Object.keys(variables) as PhoneCloudTrigger[]).map((trigger) => {
    const type = eventCatalogue[trigger].phoneCloudType
    const native = new Map(listEventFields([trigger]).map((field) => [field.path, field]))
    const first = { name: 'type', source: { always: type }, description: `Always ${type}.` }
    const all: readonly Variable[] = [first, ...variables[trigger]]
    return [trigger, { type, fields: all.map((one) => described(one, native)) }]
  }),
)
