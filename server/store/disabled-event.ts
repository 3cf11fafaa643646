import type { EventOf } from '#contracts/events/catalogue.ts'
import { eventId } from '#server/domain/events/ids.ts'
import { isoOf } from '#server/domain/times.ts'
import type { Db } from '#server/store/store.ts'

interface Disabled {
  readonly id: string
  readonly name: string
  readonly accountId: string
  readonly serviceUuid: string | null
  readonly reason: 'gone' | 'failing'
  /** The attempt whose answer was the reason: with `at`, which is its end, it makes the event's id the same however often it is told. */
  readonly cause: { readonly deliverySeq: number; readonly attempt: number }
  readonly at: number
}

/** The event `webhook.disabled`. */
export async function tellDisabled(db: Db, about: Disabled): Promise<EventOf<'webhook.disabled'>> {
  const account = await db
    .selectFrom('account')
    .select(['id', 'name'])
    .where('id', '=', about.accountId)
    .executeTakeFirstOrThrow()
  const service =
    about.serviceUuid === null
      ? undefined
      : await db
          .selectFrom('service')
          .select(['uuid', 'name', 'friendly_name'])
          .where('uuid', '=', about.serviceUuid)
          .executeTakeFirst()
  return {
    id: eventId(
      about.at,
      about.accountId,
      `webhook.disabled ${about.id} ${about.cause.deliverySeq}.${about.cause.attempt}`,
    ),
    type: 'webhook.disabled',
    occurred_at: isoOf(about.at),
    sequence: null,
    backfilled: false,
    account,
    service: service === undefined ? null : { ...service, type: 'hosted_pbx' },
    webhook: {
      id: about.id,
      name: about.name,
      reason: about.reason,
      disabled_at: isoOf(about.at),
    },
  }
}
