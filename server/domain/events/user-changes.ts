/**
 * What a change of a PBX document means for its users, as events. Pure: the same two documents under the same
 * directory give the same events.
 */
import type { EventOf } from '#contracts/events/catalogue.ts'
import type { ServiceRef } from '#contracts/events/facts.ts'
import type { PbxDocument, PbxUser } from '#contracts/pbx.ts'
import { userRef } from '#server/domain/events/directory.ts'
import { eventId } from '#server/domain/events/ids.ts'
import { isoOf } from '#server/domain/times.ts'

export type UserEvent = EventOf<'user.created' | 'user.modified' | 'user.deleted'>

export interface DocumentChange {
  readonly account: { readonly id: string; readonly name: string }
  readonly service: ServiceRef
  /** Null: there is, or was, no document, and so no user. */
  readonly before: PbxDocument | null
  readonly after: PbxDocument | null
  /** The version of the service that the change makes: no other change has it, so it makes the ids. */
  readonly version: number
  /** Epoch milliseconds. */
  readonly at: number
}

/**
 * An event for each user that differs; users are told by UUID. Deleted ones come first, created ones last: a receiver
 * that keeps extension numbers apart has a number free before somebody else gets it.
 */
export function* userEvents(change: DocumentChange): Generator<UserEvent> {
  const before = usersOf(change.before)
  const after = usersOf(change.after)
  for (const [uuid, user] of before) {
    if (after.has(uuid)) continue
    const type = 'user.deleted'
    yield { type, ...envelopeOf(change, type, user), user: userRef(user) }
  }
  for (const [uuid, user] of after) {
    const old = before.get(uuid)
    if (old === undefined) continue
    const changed_fields = changedFields(old, user)
    if (changed_fields.length === 0) continue
    const type = 'user.modified'
    yield { type, ...envelopeOf(change, type, user), user: userRef(user), changed_fields }
  }
  for (const [uuid, user] of after) {
    if (before.has(uuid)) continue
    const type = 'user.created'
    yield { type, ...envelopeOf(change, type, user), user: userRef(user) }
  }
}

function usersOf(document: PbxDocument | null): ReadonlyMap<string, PbxUser> {
  return new Map(document?.users.map((user) => [user.uuid, user]))
}

function envelopeOf(change: DocumentChange, type: UserEvent['type'], { uuid }: PbxUser) {
  const { account, service, version, at } = change
  return {
    id: eventId(at, service.uuid, `${type} ${uuid} ${version}`),
    occurred_at: isoOf(at),
    sequence: null,
    backfilled: false,
    account: { id: account.id, name: account.name },
    service,
  }
}

/** Names of fields of the document, in its order: of a secret too only the name. */
function changedFields(before: PbxUser, after: PbxUser): string[] {
  return (Object.keys(after) as (keyof PbxUser)[]).filter(
    (field) => comparable(before[field]) !== comparable(after[field]),
  )
}

/** Lists of users are sets: the order in which call types are written means nothing. */
function comparable(value: PbxUser[keyof PbxUser]): string {
  return JSON.stringify(Array.isArray(value) ? value.toSorted() : value)
}
