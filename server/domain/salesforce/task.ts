/** The Task of a call, as Salesforce's own call objects have it. */
import { DateTime } from 'luxon'
import type { EventOf } from '#contracts/events/catalogue.ts'
import type { SalesforceConnector } from '#contracts/webhook/connector.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { type StoredEventObject, textOf, valueAt } from '#server/domain/render/event-values.ts'
import { prepareFieldText } from '#server/domain/render/field-text.ts'
import type { FoundPeople, Person } from '#server/domain/salesforce/people.ts'
import { mostRecords } from '#server/domain/salesforce/phone-search.ts'

export type EndedCall = EventOf<'call.ended'>

const callTypes = { inbound: 'Inbound', outbound: 'Outbound', internal: 'Internal' } as const

/** The party outside of the PBX; null: the call is internal. */
export function outsideParty({
  call,
}: EndedCall): { number: string | null; raw: string | null } | null {
  if (call.direction === 'internal') return null
  return call.direction === 'inbound' ? call.source : call.destination
}

/** The Salesforce user whose Task it becomes; null: the one that the connector signs in as. */
export function ownerOf({ call, user }: EndedCall, { owners }: SalesforceConnector): string | null {
  const extension = call.answered_by?.extension_number ?? user?.extension_number
  return extension !== undefined && Object.hasOwn(owners, extension)
    ? (owners[extension] ?? null)
    : null
}

/** An address of the REST API; `path` is what follows its version. */
export function apiUrl(
  instance: string,
  { api_version }: SalesforceConnector,
  path: string,
): string {
  return new URL(`/services/data/v${api_version}${path}`, instance).href
}

interface TaskSource {
  readonly event: EndedCall
  readonly settings: SalesforceConnector
  readonly test: boolean
}

/** The request that makes the Task or changes it: by its external id, so that sent twice it is the same Task. */
export function taskUpsert(
  { event, settings, test }: TaskSource,
  found: FoundPeople,
): { readonly path: string; readonly body: object } {
  const { external_id_field: field } = settings
  const { uuid } = event.call
  const task = taskOf(event, settings, found)
  const record = {
    attributes: { type: 'Task' },
    // Of a past call there may be a Task already, which a test leaves alone.
    [field]: test ? namedUuid(uuid, 'test') : uuid,
    ...(test ? { ...task, Subject: `[Test] ${task.Subject}`.slice(0, 255) } : task),
  }
  return {
    path: `/composite/sobjects/Task/${field}`,
    body: { allOrNone: true, records: [record] },
  }
}

function taskOf(
  event: EndedCall,
  settings: SalesforceConnector,
  found: FoundPeople,
): { readonly Subject: string } & Readonly<Record<string, unknown>> {
  const { call } = event
  const owner = ownerOf(event, settings)
  return {
    Subject: inOneLine(subjectOf(event, settings)).slice(0, 255),
    Status: 'Completed',
    TaskSubtype: 'Call',
    ActivityDate: DateTime.fromISO(call.started_at, { zone: settings.time_zone }).toISODate(),
    CallType: callTypes[call.direction],
    CallDurationInSeconds: call.bill_duration,
    CallDisposition: call.hangup.cause,
    CallObject: call.uuid,
    Description: descriptionOf(event, found),
    // Null too: a Task that is sent again does not keep whom it named before.
    WhoId: found.chosen?.id ?? null,
    ...(owner !== null && { OwnerId: owner }),
  }
}

/** What a caller is called must not end the line that it stands in. */
const inOneLine = (text: string) => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')

function subjectOf(event: EndedCall, { subject }: SalesforceConnector): string {
  if (subject !== null) {
    const object = event as unknown as StoredEventObject
    return prepareFieldText(subject)(object, (path) => textOf(valueAt(object, path)))
  }
  const { call } = event
  const shown = (party: { number: string | null; raw: string | null }) =>
    party.number ?? party.raw ?? 'a withheld number'
  switch (call.direction) {
    case 'inbound':
      return `Inbound call from ${shown(call.source)}`
    case 'outbound':
      return `Outbound call to ${shown(call.destination)}`
    case 'internal':
      return `Internal call from ${shown(call.source)} to ${shown(call.destination)}`
  }
}

function descriptionOf({ call, queue, ring_group, ivr }: EndedCall, found: FoundPeople): string {
  const option = ivr?.option == null ? '' : `, option ${ivr.option}`
  const lines = [
    `Status: ${call.status}`,
    call.answered_by === null
      ? null
      : `Answered by: ${call.answered_by.name ?? call.answered_by.extension_number}`,
    ivr === null ? null : `IVR: ${ivr.name}${option}`,
    queue === null ? null : `Queue: ${queue.name}`,
    ring_group === null ? null : `Ring group: ${ring_group.name}`,
    call.recording_url === null ? null : `Recording: ${call.recording_url}`,
    ...peopleLines(found),
  ]
  return lines
    .filter((line) => line !== null)
    .map(inOneLine)
    .join('\n')
}

/** Why the Task names nobody, and who else it may be about. */
function peopleLines({ chosen, all, possible, unread }: FoundPeople): readonly (string | null)[] {
  const list = (people: readonly Person[]) =>
    people.map(({ kind, id }) => `${kind} ${id}`).join(', ')
  const belongs = `The number belongs to ${all.length} records: ${list(all)}`
  const undecided = `Not decided whose number it is: ${mostRecords} or more of the ${unread}s have digits like it, and perhaps not all were read.`
  return [
    unread === null ? null : undecided,
    unread !== null && all.length > 0
      ? `Among those that were read it belongs to ${list(all)}`
      : null,
    unread === null && chosen === null && all.length > 1 ? belongs : null,
    possible.length === 0
      ? null
      : `Possible, as only the end of the number is the same: ${list(possible)}`,
  ]
}
