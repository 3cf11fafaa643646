/**
 * What events speak of: the parties, the call, its legs, the objects that it passed.
 *
 * Every field carries the label under which forms offer it (the seed documents' words), what it means, and its
 * unit. JSON Schema, the field list of the mapping form and the event reference are made from this metadata.
 */
import { z } from 'zod'

declare module 'zod' {
  interface GlobalMeta {
    /** The name under which a person chooses the field; from the seed documents where they have one. */
    label?: string
    /** Further names of the field in the seed documents. */
    aliases?: readonly string[]
    /** Unit of a number: "s" for seconds, "bytes". */
    unit?: string
  }
}

/** ISO 8601, UTC, milliseconds: `2026-11-22T09:15:04.120Z`. */
export const Timestamp = z.iso.datetime({ precision: 3 })

/** A time as people and programs write it: with or without fractions, in any zone. Parsed, it is a `Timestamp`. */
export const GivenTime = z.iso
  .datetime({ offset: true, abort: true })
  .overwrite((text) => new Date(text).toISOString())

type Aliases = readonly string[]
const text = (label: string, description: string, aliases: Aliases = []) =>
  z.string().meta({ label, description, aliases })
const textOrNull = (label: string, description: string, aliases: Aliases = []) =>
  z.string().nullable().meta({ label, description, aliases })
const time = (label: string, description: string, aliases: Aliases = []) =>
  Timestamp.meta({ label, description, aliases })
const timeOrNull = (label: string, description: string, aliases: Aliases = []) =>
  Timestamp.nullable().meta({ label, description, aliases })
const flag = (label: string, description: string) => z.boolean().meta({ label, description })
const seconds = (label: string, description: string, aliases: Aliases = []) =>
  z.int().min(0).meta({ label, description, unit: 's', aliases })
const secondsOrNull = (label: string, description: string) =>
  z.int().min(0).nullable().meta({ label, description, unit: 's' })

export const AccountRef = z
  .object({
    id: text('Account ID', 'The account that the service belongs to.'),
    name: text('Account Name', 'The name of that account.'),
  })
  .meta({ id: 'AccountRef' })

export const ServiceRef = z
  .object({
    uuid: z.uuid().meta({
      label: 'Service UUID',
      description: 'Unique identifier of the service; the services API lists them.',
    }),
    name: text('Service Name', 'System configured name of the service.'),
    friendly_name: text('Service Friendly Name', 'User configured name of the service.'),
    type: z
      .literal('hosted_pbx')
      .meta({ label: 'Service Type', description: 'Always hosted_pbx.' }),
  })
  .meta({ id: 'ServiceRef' })
export type ServiceRef = z.infer<typeof ServiceRef>

interface PartyNames {
  readonly raw: string
  readonly name: string
  readonly aliases: { readonly raw: Aliases; readonly name: Aliases }
}

const party = (who: string, { raw, name, aliases }: PartyNames) =>
  z.object({
    number: textOrNull(
      `${raw} (E.164)`,
      `The number of the ${who} in E.164, or null where it cannot be derived (an extension, a withheld number, no country set).`,
    ),
    raw: textOrNull(
      raw,
      `The number of the ${who} as the PBX had it; null where it had none.`,
      aliases.raw,
    ),
    name: textOrNull(name, `The name of the ${who}, as displayed or as configured.`, aliases.name),
  })

export const SourceParty = party('caller', {
  raw: 'Source Number',
  name: 'Caller name',
  aliases: { raw: ['src', 'caller_id'], name: ['caller_name'] },
}).extend({
  anonymous: flag('Anonymous', 'The caller withheld the number.'),
})
export const DestinationParty = party('dialled destination', {
  raw: 'Destination Number',
  name: 'Destination name',
  aliases: { raw: ['dst', 'dest_number'], name: [] },
})
export type SourceParty = z.infer<typeof SourceParty>
export type DestinationParty = z.infer<typeof DestinationParty>

export const Direction = z.enum(['inbound', 'outbound', 'internal'])
export type Direction = z.infer<typeof Direction>

export const CallType = z.enum([
  'Local',
  'National',
  'Mobile',
  'International',
  'International Other',
  'Premium',
  'Other',
])
export type CallType = z.infer<typeof CallType>

export const UserRef = z
  .object({
    uuid: z.uuid().nullable().meta({
      label: 'User UUID',
      description: 'Identifier of the user; null for a user that Offhook does not configure.',
    }),
    extension_number: text('Extension Number', 'The internal number of the user.', ['user_number']),
    name: textOrNull('Name', 'The name of the user.', ['user_name']),
    outbound_phone_number: textOrNull(
      'Outbound Phone Number',
      'The number that the user shows on outbound calls.',
    ),
    has_voicemail: z
      .boolean()
      .nullable()
      .meta({ label: 'Has Voicemail', description: 'True: voicemail is enabled.' }),
    enabled_calls: z.array(CallType).nullable().meta({
      label: 'Enabled Calls',
      description: 'The call types that the user may place.',
    }),
  })
  .meta({ id: 'UserRef' })
export type UserRef = z.infer<typeof UserRef>

export const QueueRef = z
  .object({ name: text('Queue Name', 'The queue that the call is or was in.', ['queue_name']) })
  .meta({ id: 'QueueRef' })
export const RingGroupRef = z
  .object({
    name: text('Ring Group Name', 'The ring group that the call is or was in.', [
      'ring_group_name',
    ]),
  })
  .meta({ id: 'RingGroupRef' })
export const IvrRef = z
  .object({
    name: text('IVR Name', 'The name of the IVR.'),
    option: textOrNull(
      'Option Selected',
      'The option selected by the caller at the IVR; null before a choice and on timeout.',
    ),
  })
  .meta({ id: 'IvrRef' })

/** `via`: how the call was answered when not by the phone that rang. */
export const AnsweredVia = z.enum(['pickup'])

export const Call = z
  .object({
    uuid: z.uuid().meta({
      label: 'Call UUID',
      description: 'The unique identifier of the call, the same over all its legs and events.',
      aliases: ['uniqueid', 'unique_call_id'],
    }),
    direction: Direction.meta({
      label: 'Call type',
      description: 'inbound, outbound or internal.',
      aliases: ['type of call'],
    }),
    source: SourceParty,
    destination: DestinationParty,
    caller_id_number: textOrNull(
      'Caller ID number',
      'The number used as identity of the call: of the caller inbound, of the user outbound.',
    ),
    started_at: time('Start', 'When the call arrived on or left the PBX.', [
      'start_at',
      'call_start_at',
    ]),
    answered_at: timeOrNull(
      'Answered',
      'When the first person answered; null before and if nobody did.',
      ['connected_at'],
    ),
    ended_at: timeOrNull('End', 'When the last leg was gone; null while the call lasts.', [
      'end_at',
    ]),
    talker: flag(
      'Talker',
      'True: a person on the PBX talked. False: not answered, or diverted externally.',
    ),
    via: AnsweredVia.nullable().meta({
      label: 'Answered via',
      description: '"pickup" when another user took the call with the pick-up code.',
    }),
    lead_id: textOrNull('Lead ID', 'The lead ID passed through from the call.', ['leadid']),
  })
  .meta({ id: 'Call' })
export type Call = z.infer<typeof Call>

export const CallStatus = z.enum(['answered', 'missed', 'busy', 'canceled', 'failed', 'voicemail'])
export type CallStatus = z.infer<typeof CallStatus>
export const HangupInitiator = z.enum(['caller', 'callee', 'system'])
export type HangupInitiator = z.infer<typeof HangupInitiator>
export const HangupCause = z.enum(['Answered', 'Busy', 'Canceled', 'Failed', 'No Answer'])
export type HangupCause = z.infer<typeof HangupCause>

export const Hangup = z
  .object({
    initiator: HangupInitiator.meta({
      label: 'Hangup initiator',
      description: 'The side that ended the call: caller, callee, or the system itself.',
    }),
    cause: HangupCause.meta({ label: 'Hangup cause', description: 'Why the call ended.' }),
    q850: z
      .int()
      .nullable()
      .meta({ label: 'Q.850 cause', description: 'The Q.850 cause code as the network gave it.' }),
    text: textOrNull('Q.850 text', 'The name of that cause.'),
    sip_code: z.int().nullable().meta({
      label: 'SIP code',
      description:
        'The final SIP response of the phone or line that was called. Null where several were, where it was called off while it rang, and where the PBX does not tell it.',
    }),
  })
  .meta({ id: 'Hangup' })
export type Hangup = z.infer<typeof Hangup>

/** The whole record of a call that is over. */
export const CallRecord = Call.extend({
  status: CallStatus.meta({ label: 'Status', description: 'How the call ended for its caller.' }),
  bridged: flag('Bridged', 'The two sides were connected.'),
  duration: seconds('Duration', 'Total seconds, with set-up and ringing.', ['call_duration']),
  bill_duration: seconds('Bill duration', 'Seconds from answer to end; 0 when not answered.', [
    'conversation_duration',
  ]),
  ring_duration: seconds('Ring duration', 'Seconds in which a phone rang before the first answer.'),
  wait_duration: seconds('Wait duration', 'Seconds waiting in queues.'),
  hangup: Hangup,
  answered_by: UserRef.nullable().meta({
    label: 'Answered by',
    description: 'The user who answered first.',
  }),
  diverted_to: textOrNull('Diverted to', 'The outside number that the call was diverted to.'),
  recording_url: textOrNull(
    'Recording',
    'Link to the first recording of the call, as in its own event.',
    ['public_recording'],
  ),
  incomplete: flag(
    'Incomplete',
    'True: the PBX died or lost the call, the end is the last time at which it was known to live.',
  ),
  merged_uuids: z.array(z.uuid()).meta({
    label: 'Merged calls',
    description: 'Calls that were joined into this one by an attended transfer or a pick-up.',
  }),
}).meta({ id: 'CallRecord' })
export type CallRecord = z.infer<typeof CallRecord>

export const LegOutcome = z.enum([
  'completed',
  'missed',
  'busy',
  'rejected',
  'answered_elsewhere',
  'failed',
])
export type LegOutcome = z.infer<typeof LegOutcome>

/** A user's part of a call, as told when it is over. */
export const UserPart = z
  .object({
    started_at: time('Part start', 'When the phone started to ring, or the user dialled.'),
    answered_at: timeOrNull('Part answered', 'When this part was answered.'),
    ended_at: time('Part end', 'When this part was over.'),
    duration: seconds('Part duration', 'Seconds from start to end.'),
    talk_duration: seconds('Talk duration', 'Seconds from answer to end; 0 when not answered.'),
    outcome: LegOutcome.meta({
      label: 'Outcome',
      description: 'completed, missed, busy, rejected, answered_elsewhere or failed.',
    }),
  })
  .meta({ id: 'UserPart' })

export const Leg = z
  .object({
    kind: z
      .enum(['user', 'external'])
      .meta({ label: 'Leg kind', description: 'A user’s phone, or an outside number.' }),
    role: z
      .enum(['caller', 'target'])
      .meta({ label: 'Leg role', description: 'caller: made the call; target: was called.' }),
    extension_number: textOrNull('Leg extension', 'The user, for kind user.'),
    name: textOrNull('Leg name', 'The name of the party.'),
    number: textOrNull('Leg number', 'The outside number, for kind external, as the PBX had it.'),
    queue: textOrNull('Leg queue', 'The queue that chose the user.'),
    ring_group: textOrNull('Leg ring group', 'The ring group that chose the user.'),
    via: AnsweredVia.nullable().meta({
      label: 'Leg via',
      description: '"pickup": took the call with the pick-up code.',
    }),
    ...UserPart.shape,
  })
  .meta({ id: 'Leg' })
export type Leg = z.infer<typeof Leg>

const TriedUser = z.object({
  extension_number: text('Tried extension', 'A user whose phone rang.'),
  name: textOrNull('Tried name', 'The name of that user.'),
  attempts: z.int().min(1).meta({ label: 'Attempts', description: 'How often that phone rang.' }),
  ring_duration: seconds('Tried ring time', 'Seconds that the phone rang in all.'),
  outcome: LegOutcome.meta({
    label: 'Tried outcome',
    description: 'What came of the last attempt.',
  }),
})

export const QueueSummary = QueueRef.extend({
  outcome: z.enum(['completed', 'abandoned', 'timed_out', 'left']).meta({
    label: 'Queue outcome',
    description:
      'completed: an agent talked; abandoned: the caller hung up waiting; timed_out: nobody answered in time; left: any other way out.',
  }),
  entered_at: time('Queue entered', 'When the call entered the queue.'),
  left_at: time('Queue left', 'When an agent answered, or the call left the queue.'),
  wait_duration: seconds('Wait time', 'Seconds from entering to answer or leaving.'),
  position: z.int().nullable().meta({
    label: 'Position',
    description: 'Position in the queue on entering; null where queue_log is not read.',
  }),
  answered_by: UserRef.nullable().meta({
    label: 'Queue answered by',
    description: 'The agent who answered; null where it was an outside number.',
  }),
  answered_at: timeOrNull('Queue answered', 'When an agent answered; null if none did.'),
  talk_duration: seconds(
    'Queue talk time',
    'Seconds from that answer until this agent’s part of the call was over; 0 when not answered.',
  ),
  agents_tried: z
    .array(TriedUser)
    .meta({ label: 'Agents tried', description: 'In order of first ringing.' }),
}).meta({ id: 'QueueSummary' })

export const RingGroupSummary = RingGroupRef.extend({
  outcome: z.enum(['completed', 'abandoned', 'no_answer']).meta({
    label: 'Ring group outcome',
    description:
      'completed: a member talked; abandoned: the caller hung up; no_answer: nobody answered.',
  }),
  entered_at: time('Ring group entered', 'When the call entered the ring group.'),
  ring_duration: seconds('Ring group ring time', 'Seconds from entering to answer or leaving.'),
  answered_by: UserRef.nullable().meta({
    label: 'Ring group answered by',
    description: 'The member who answered.',
  }),
  answered_at: timeOrNull('Ring group answered', 'When a member answered; null if none did.'),
  talk_duration: seconds(
    'Ring group talk time',
    'Seconds from that answer until this member’s part of the call was over; 0 when not answered.',
  ),
  members_tried: z
    .array(TriedUser)
    .meta({ label: 'Members tried', description: 'In order of first ringing.' }),
}).meta({ id: 'RingGroupSummary' })

export const Transfer = z
  .object({
    kind: z
      .enum(['blind', 'attended'])
      .meta({ label: 'Transfer kind', description: 'blind or attended.' }),
    by: UserRef.nullable().meta({
      label: 'Transferred by',
      description: 'The user who transferred.',
    }),
    to: textOrNull('Transferred to', 'The extension or number that the call was transferred to.'),
    merged_uuid: z.uuid().nullable().meta({
      label: 'Consultation call UUID',
      description:
        'The call UUID under which the consultation ran until now, where it had its own.',
    }),
  })
  .meta({ id: 'Transfer' })

const audioLinkSays =
  'Link to the audio that works without an API key for a time after the event; null: OFFHOOK_PUBLIC_URL is not set, or Offhook cannot read the files of the PBX.'

export const Voicemail = z
  .object({
    mailbox: text('Mailbox', 'The mailbox that the message was left in.'),
    recorded_at: time('Recorded', 'When the message was left.'),
    duration: secondsOrNull(
      'Message length',
      'Length of the message; null where the PBX does not tell.',
    ),
    file: text('Message file', 'Name of the audio file on the PBX.'),
    audio_url: textOrNull('Message link', audioLinkSays, ['audio_file']),
  })
  .meta({ id: 'Voicemail' })

export const Recording = z
  .object({
    recorded_at: time('Recording start', 'When the recording started.'),
    duration: secondsOrNull(
      'Recording length',
      'Length of the audio; null where the PBX does not tell.',
    ),
    bytes: z
      .int()
      .min(0)
      .nullable()
      .meta({ label: 'Recording size', description: 'Size of the file.', unit: 'bytes' }),
    file: text('Recording file', 'Name of the audio file on the PBX.'),
    url: textOrNull('Recording link', audioLinkSays, ['call_recording_link']),
  })
  .meta({ id: 'Recording' })

export const Component = z
  .object({
    name: text('Component Name', 'The name configured on the Webhook object.', ['component_name']),
    parameters: z.record(z.string(), z.string()).meta({
      label: 'Component parameters',
      description: 'Further values that the call flow passed.',
    }),
  })
  .meta({ id: 'Component' })

export const Reached = z.enum(['ivr', 'queue', 'ring_group', 'user', 'voicemail'])
export type Reached = z.infer<typeof Reached>

export const LinkDown = z
  .object({
    down_since: time('Link down since', 'When Offhook lost the PBX.'),
    reason: text(
      'Link down reason',
      'What was seen: connection refused, closed, login refused, no answer, protocol error, address refused.',
    ),
  })
  .meta({ id: 'LinkDown' })

export const LinkUp = z
  .object({
    down_since: timeOrNull(
      'Link was down since',
      'Start of the gap; null on the very first start.',
    ),
    up_at: time('Link up', 'When the PBX was reached again.'),
    backfilled_events: z.int().min(0).meta({
      label: 'Events read back',
      description: 'How many events of the gap were read from disk.',
    }),
  })
  .meta({ id: 'LinkUp' })

export const DisabledWebhook = z
  .object({
    id: text('Webhook ID', 'The webhook that was disabled.'),
    name: text('Webhook Name', 'Its name.'),
    reason: z.enum(['gone', 'failing']).meta({
      label: 'Disabled because',
      description: 'gone: the receiver answered 410; failing: nothing but failures for too long.',
    }),
    disabled_at: time('Disabled', 'When it was disabled.'),
  })
  .meta({ id: 'DisabledWebhook' })
