import type { AttemptError, DeliveryState } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import { statusRange } from '#contracts/search.ts'
import { searchKeysOf } from '#server/domain/events/number-keys.ts'
import { periodOf } from '#server/http/route-deps.ts'
import type { DeliveryFilter } from '#server/store/delivery-search.ts'
import type { EventFilter } from '#server/store/events.ts'
import { listCountries } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

/** What a number that a person typed may stand for in the account; undefined: nobody asked for a number. */
async function numberFilterOf(
  store: Store,
  accountId: string,
  number: string | undefined,
): Promise<readonly string[] | undefined> {
  return number === undefined
    ? undefined
    : searchKeysOf(number, await listCountries(store, accountId))
}

export interface EventSearch {
  readonly type?: EventType | undefined
  readonly service_uuid?: string | undefined
  readonly call_uuid?: string | undefined
  readonly number?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

/** A search for events in the words of the API, as the store has it. */
export async function eventFilterOf(
  store: Store,
  accountId: string,
  query: EventSearch,
): Promise<EventFilter> {
  return {
    type: query.type,
    serviceUuid: query.service_uuid,
    callUuid: query.call_uuid,
    numberKeys: await numberFilterOf(store, accountId, query.number),
    ...periodOf(query),
  }
}

/** What the searches of deliveries and of attempts have in common. */
export interface DeliverySearch {
  readonly webhook_id?: string | undefined
  readonly state?: DeliveryState | undefined
  readonly event_type?: EventType | undefined
  readonly event_id?: string | undefined
  readonly service_uuid?: string | undefined
  readonly call_uuid?: string | undefined
  readonly number?: string | undefined
  readonly status_code?: string | undefined
  readonly error?: AttemptError | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

/** A search in the words of the API, as the store has it. */
export async function deliveryFilterOf(
  store: Store,
  accountId: string,
  query: DeliverySearch,
): Promise<DeliveryFilter> {
  return {
    webhookId: query.webhook_id,
    state: query.state,
    eventType: query.event_type,
    eventId: query.event_id,
    serviceUuid: query.service_uuid,
    callUuid: query.call_uuid,
    numberKeys: await numberFilterOf(store, accountId, query.number),
    status: query.status_code === undefined ? undefined : statusRange(query.status_code),
    error: query.error,
    ...periodOf(query),
  }
}
