/** A webhook as its rows have it, and as the API shows it. */
import { isDeepStrictEqual } from 'node:util'
import type { Selectable } from 'kysely'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Webhook, WebhookBreaker, WebhookChange } from '#contracts/webhook/webhook.ts'
import type { Breaker } from '#server/domain/breaker.ts'
import { hideRequestSecrets, restoreRequestSecrets } from '#server/domain/hidden-secrets.ts'
import { isoOf, isoOrNull } from '#server/domain/times.ts'
import {
  checkConsistency,
  checkObjectChange,
  settingsAfter,
} from '#server/domain/webhook-settings.ts'
import { type BreakerColumns, breakerOf } from '#server/store/breaker-columns.ts'
import { periodAfter } from '#server/store/off-period.ts'
import type { Tables } from '#server/store/schema.ts'
import type { SecretBox } from '#server/store/secrets.ts'
import { sealedSecrets } from '#server/store/signing-secrets.ts'
import { filtersColumn, filtersOf } from '#server/store/webhook-filters.ts'
import { requestColumns, requestOf, requestPart } from '#server/store/webhook-requests.ts'

/** The lane holds the settings that the claim must see beside its counters, and what the receiver did lately. */
export type WebhookRow = Selectable<Tables['webhook']> &
  Pick<Selectable<Tables['lane']>, 'max_in_flight' | 'rate_per_second'> &
  BreakerColumns

/** As the API shows it: its secrets masked. */
export function webhookOf(box: SecretBox, row: WebhookRow): Webhook {
  return {
    id: row.id,
    scope: row.scope,
    component: row.component,
    predefined: row.predefined,
    ...settingsOf(row),
    ...hideRequestSecrets(requestOf(box, row)),
    breaker: shownBreaker(breakerOf(row)),
    has_client_certificate: row.client_certificate !== null,
    previous_secret_until: isoOrNull(row.previous_secret_until),
    disabled_reason: row.disabled_reason,
    created_at: isoOf(row.created_at),
    updated_at: isoOf(row.updated_at),
  }
}

/**
 * A name as searches compare it. Made here, since the databases disagree: SQLite knows the upper case of A to Z only,
 * PostgreSQL that of its locale.
 */
export function foldedName(name: string): string {
  return name.normalize('NFKC').toLowerCase()
}

/** All settings but those of the request. */
function settingsOf(row: WebhookRow) {
  return {
    name: row.name,
    url: row.url,
    service_uuid: row.service_uuid,
    triggers: JSON.parse(row.triggers) as EventType[],
    filters: filtersOf(row.filters),
    count_pickups: row.count_pickups === 1,
    enabled: row.enabled === 1,
    retries: row.retries,
    delay_seconds: row.delay_seconds,
    timeout_seconds: row.timeout_seconds,
    concurrency: row.max_in_flight,
    rate_limit: row.rate_per_second,
    order: row.delivery_order,
    on_exhausted: row.on_exhausted,
  }
}

function shownBreaker(breaker: Breaker): WebhookBreaker {
  return {
    state: breaker.state,
    reason: breaker.reason,
    failures: breaker.failures,
    failing_since: isoOrNull(breaker.failingSince),
    next_probe_at: breaker.state === 'open' ? isoOrNull(breaker.until) : null,
  }
}

/**
 * The columns of the webhook after a change; those of its lane are not among them. Throws InconsistentSettingsError,
 * HiddenSecretError.
 */
export function columnsAfter(box: SecretBox, row: WebhookRow, change: WebhookChange, now: number) {
  checkObjectChange(row.scope, change)
  const stored = requestOf(box, row)
  const { url } = row
  const before = { ...settingsOf(row), ...hideRequestSecrets(stored), scope: row.scope }
  const after = settingsAfter(before, change)
  const request = restoreRequestSecrets(
    { url: after.url, request: requestPart(after) },
    { url, request: stored },
  )
  checkConsistency(after)
  // Disabling what is disabled already keeps the reason: held deliveries stay those of a failing webhook.
  const reason = row.enabled === 1 ? ('by_user' as const) : row.disabled_reason
  const { triggers, enabled, order } = after
  const byUser = row.enabled === 0 && row.disabled_reason === 'by_user'
  const stillByUser = !enabled && reason === 'by_user'
  return {
    scope: after.scope,
    name: after.name,
    name_folded: foldedName(after.name),
    url: after.url,
    service_uuid: after.service_uuid,
    triggers: JSON.stringify(triggers),
    filters: filtersColumn(after.filters),
    count_pickups: after.count_pickups ? (1 as const) : (0 as const),
    enabled: enabled ? (1 as const) : (0 as const),
    disabled_reason: enabled ? null : reason,
    ...periodAfter(row, [!byUser, !stillByUser], now),
    retries: after.retries,
    delay_seconds: after.delay_seconds,
    timeout_seconds: after.timeout_seconds,
    delivery_order: order,
    on_exhausted: after.on_exhausted,
    ...(isDeepStrictEqual(request, stored)
      ? { request: row.request, request_version: row.request_version }
      : requestColumns(box, row.id, request)),
    ...(change.secret !== undefined && {
      secrets: sealedSecrets(box, row.id, [change.secret]),
      previous_secret_until: null,
    }),
  }
}
