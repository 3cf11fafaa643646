/** A fact of the fold + what Offhook knows of the PBX → the native event. Pure: same input, same bytes. */
import type { CallEvent, Event, EventOf } from '#contracts/events/catalogue.ts'
import type { Call, CallRecord, Leg, UserRef } from '#contracts/events/facts.ts'
import type {
  AnswerSeen,
  CallSeen,
  Fact,
  LegSeen,
  PartSeen,
  RecordSeen,
  TriedSeen,
  UserSeen,
} from '#server/domain/calls/facts.ts'
import type { Directory } from '#server/domain/events/directory.ts'
import { callBegan, callUuid, eventId } from '#server/domain/events/ids.ts'
import { toE164 } from '#server/domain/events/phone-number.ts'
import { q850Text } from '#server/domain/events/q850.ts'
import { isoOf, isoOrNull } from '#server/domain/times.ts'

function wholeSeconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000))
}

export function describe(fact: Fact, directory: Directory, backfilled: boolean): CallEvent {
  const context = {
    id: idOf(fact, directory),
    occurred_at: isoOf(fact.at),
    sequence: fact.sequence,
    backfilled,
    account: directory.account,
    service: directory.service,
    call: describeCall(fact.callId, fact.call, directory),
    user: describeUser(fact.user, directory),
    queue: fact.queue === null ? null : { name: fact.queue },
    ring_group: fact.ringGroup === null ? null : { name: fact.ringGroup },
    ivr: fact.ivr,
  }
  // The catalogue's schemas hold these shapes; `describe.test.ts` parses every kind of event by them.
  return { type: fact.type, ...context, ...details(fact, directory) } as CallEvent
}

const idOf = ({ callId, sequence }: Pick<Fact, 'callId' | 'sequence'>, directory: Directory) =>
  eventId(callBegan(callId), directory.service.uuid, `${callId} ${sequence}`)

/** What the type of the fact adds to, or says more exactly than, the common context. */
function details(fact: Fact, directory: Directory): object {
  switch (fact.type) {
    case 'call.missed':
      return { call: recordOf(fact, directory), reached: fact.details.reached }
    case 'call.ended':
      return {
        call: recordOf(fact, directory),
        legs: fact.details.legs.map((leg) => describeLeg(leg, directory)),
      }
    case 'call.transferred':
      return {
        transfer: {
          kind: fact.details.kind,
          by: describeUser(fact.user, directory),
          to: fact.details.to,
          merged_uuid:
            fact.details.mergedCallId === null
              ? null
              : callUuid(directory.service.uuid, fact.details.mergedCallId),
        } satisfies EventOf<'call.transferred'>['transfer'],
      }
    case 'ivr.option_selected':
      return {
        ivr: { name: '', option: null, ...fact.ivr, valid: fact.details.valid },
      }
    case 'user.inbound.completed':
    case 'user.outbound.completed':
      return { part: describePart(fact.details.part) }
    case 'queue.call.summary':
      return {
        call: recordOf(fact, directory),
        queue: describeQueueVisit(fact.details.visit, directory),
      }
    case 'ring_group.call.summary':
      return {
        call: recordOf(fact, directory),
        ring_group: describeRingGroupVisit(fact.details.visit, directory),
      }
    case 'voicemail.left':
      return {
        voicemail: {
          mailbox: fact.details.mailbox,
          recorded_at: isoOf(fact.at),
          duration: secondsOrNull(fact.details.durationMs),
          file: fact.details.file,
          audio_url: directory.audioLink('voicemail', idOf(fact, directory), fact.at),
        } satisfies EventOf<'voicemail.left'>['voicemail'],
      }
    case 'recording.inbound.completed':
    case 'recording.outbound.completed':
      return {
        recording: {
          recorded_at: isoOf(fact.details.startedAt),
          duration: secondsOrNull(fact.details.durationMs),
          bytes: fact.details.bytes,
          file: fact.details.file,
          url: directory.audioLink('recording', idOf(fact, directory), fact.at),
        } satisfies EventOf<'recording.inbound.completed'>['recording'],
      }
    case 'webhook_component_event':
      return { component: fact.details }
    default:
      return {}
  }
}

function secondsOrNull(ms: number | null): number | null {
  return ms === null ? null : wholeSeconds(ms)
}

export function describeUser(seen: UserSeen | null, directory: Directory): UserRef | null {
  if (seen === null) return null
  return (
    directory.users.get(seen.extension) ?? {
      uuid: null,
      extension_number: seen.extension,
      name: seen.name,
      outbound_phone_number: null,
      has_voicemail: null,
      enabled_calls: null,
    }
  )
}

function describeCall(callId: string, seen: CallSeen, directory: Directory): Call {
  const user = describeUser(seen.source.user, directory)
  const own = user?.outbound_phone_number ?? null
  const did = seen.destinationRaw === null ? undefined : directory.numbers.get(seen.destinationRaw)
  const target = seen.destinationRaw === null ? undefined : directory.users.get(seen.destinationRaw)
  return {
    uuid: callUuid(directory.service.uuid, callId),
    direction: seen.direction,
    source: {
      number:
        user === null ? toE164(seen.source.raw, directory.country) : toE164(own, directory.country),
      raw: seen.source.raw,
      name: user?.name ?? seen.source.name,
      anonymous: seen.source.anonymous,
    },
    destination: {
      number:
        seen.direction === 'internal'
          ? null
          : (did?.e164 ?? toE164(seen.destinationRaw, directory.country)),
      raw: seen.destinationRaw,
      name: did?.label ?? target?.name ?? null,
    },
    caller_id_number: own ?? (seen.source.anonymous ? null : seen.source.raw),
    started_at: isoOf(seen.startedAt),
    answered_at: isoOrNull(seen.answeredAt),
    ended_at: isoOrNull(seen.endedAt),
    talker: seen.talker,
    via: seen.via,
    lead_id: seen.leadId,
  }
}

function recordOf(
  fact: Extract<Fact, { details: { record: RecordSeen } }>,
  directory: Directory,
): CallRecord {
  const { record } = fact.details
  return {
    ...describeCall(fact.callId, record, directory),
    status: record.status,
    bridged: record.bridged,
    duration: wholeSeconds(record.endedAt - record.startedAt),
    bill_duration:
      record.answeredAt === null ? 0 : wholeSeconds(record.endedAt - record.answeredAt),
    ring_duration: wholeSeconds(record.ringMs),
    wait_duration: wholeSeconds(record.waitMs),
    hangup: {
      initiator: record.initiator,
      cause: record.cause,
      q850: record.q850,
      text: q850Text(record.q850),
      sip_code: record.sipCode,
    },
    answered_by: describeUser(record.answeredBy, directory),
    diverted_to: record.divertedTo,
    recording_url: recordingUrl(record, directory),
    incomplete: record.incomplete,
    merged_uuids: record.merged.map((id) => callUuid(directory.service.uuid, id)),
  }
}

/** The same link as in the event of the recording. */
function recordingUrl({ recording }: RecordSeen, directory: Directory): string | null {
  if (recording === null) return null
  return directory.audioLink('recording', idOf(recording, directory), recording.at)
}

function describePart(part: PartSeen): EventOf<'user.inbound.completed'>['part'] {
  return {
    started_at: isoOf(part.startedAt),
    answered_at: isoOrNull(part.answeredAt),
    ended_at: isoOf(part.endedAt),
    duration: wholeSeconds(part.endedAt - part.startedAt),
    talk_duration: part.answeredAt === null ? 0 : wholeSeconds(part.endedAt - part.answeredAt),
    outcome: part.outcome,
  }
}

function describeLeg(leg: LegSeen, directory: Directory): Leg {
  const user = describeUser(leg.user, directory)
  return {
    kind: leg.kind,
    role: leg.role,
    extension_number: user?.extension_number ?? null,
    name: user?.name ?? leg.name,
    number: leg.number,
    queue: leg.queue,
    ring_group: leg.ringGroup,
    via: leg.via,
    ...describePart(leg),
  }
}

function describeTried(tried: TriedSeen, directory: Directory) {
  return {
    extension_number: tried.user.extension,
    name: describeUser(tried.user, directory)?.name ?? null,
    attempts: tried.attempts,
    ring_duration: wholeSeconds(tried.ringMs),
    outcome: tried.outcome,
  }
}

function describeAnswer(answer: AnswerSeen, directory: Directory) {
  return {
    answered_by: describeUser(answer.answeredBy, directory),
    answered_at: isoOrNull(answer.answeredAt),
    talk_duration: wholeSeconds(answer.talkMs),
  }
}

type QueueVisit = Extract<Fact, { type: 'queue.call.summary' }>['details']['visit']
type RingGroupVisit = Extract<Fact, { type: 'ring_group.call.summary' }>['details']['visit']

function describeQueueVisit(
  visit: QueueVisit,
  directory: Directory,
): EventOf<'queue.call.summary'>['queue'] {
  return {
    name: visit.name,
    outcome: visit.outcome,
    entered_at: isoOf(visit.enteredAt),
    left_at: isoOf(visit.leftAt),
    wait_duration: wholeSeconds(visit.leftAt - visit.enteredAt),
    position: visit.position,
    ...describeAnswer(visit, directory),
    agents_tried: visit.tried.map((tried) => describeTried(tried, directory)),
  }
}

function describeRingGroupVisit(
  visit: RingGroupVisit,
  directory: Directory,
): EventOf<'ring_group.call.summary'>['ring_group'] {
  return {
    name: visit.name,
    outcome: visit.outcome,
    entered_at: isoOf(visit.enteredAt),
    ring_duration: wholeSeconds(visit.leftAt - visit.enteredAt),
    ...describeAnswer(visit, directory),
    members_tried: visit.tried.map((tried) => describeTried(tried, directory)),
  }
}

/** The loss of the link to a PBX; the time of it makes the id. */
export function describeLinkDown(
  directory: Directory,
  link: { readonly at: number; readonly reason: string },
): Event {
  return {
    type: 'service.link.down',
    ...linkEnvelope(directory, 'service.link.down', link.at),
    link: { down_since: isoOf(link.at), reason: link.reason },
  }
}

export function describeLinkUp(
  directory: Directory,
  link: {
    readonly at: number
    readonly downSince: number | null
    readonly backfilledEvents: number
  },
): Event {
  return {
    type: 'service.link.up',
    ...linkEnvelope(directory, 'service.link.up', link.at),
    link: {
      down_since: isoOrNull(link.downSince),
      up_at: isoOf(link.at),
      backfilled_events: link.backfilledEvents,
    },
  }
}

function linkEnvelope(directory: Directory, type: string, at: number) {
  return {
    id: eventId(at, directory.service.uuid, `${type} ${at}`),
    occurred_at: isoOf(at),
    sequence: null,
    backfilled: false,
    account: directory.account,
    service: directory.service,
  }
}
