import { type Event, type EventType, eventCatalogue } from '#contracts/events/catalogue.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import type { PreparedFilters } from '#server/domain/filter.ts'

/** What decides whether an event fires a webhook. */
export interface MatchingWebhook {
  readonly id: string
  /** Null: events of every service of the account. */
  readonly serviceUuid: string | null
  /** The Webhook object of a call flow that it is; null: it is none. */
  readonly component: string | null
  readonly triggers: ReadonlySet<EventType>
  /** Null: none is set. */
  readonly filters: PreparedFilters | null
  /** `call.inbound.answered` also for calls that were picked up by `**`. */
  readonly countPickups: boolean
  readonly enabled: boolean
  readonly disabledReason: Webhook['disabled_reason']
}

/** What of an event decides; every event has it. */
export interface MatchedEvent {
  readonly type: EventType
  readonly service: { readonly uuid: string } | null
  readonly webhook?: { readonly id: string }
  readonly component?: { readonly name: string }
  /** An inbound call was answered by `**`. */
  readonly pickedUp: boolean
  /** All of it: asked for by filters only, since it may have to be parsed. */
  readonly whole: () => Event
}

/** What of the event's service decides. */
export interface MatchedService {
  readonly applicationsEnabled: boolean
  /** ISO 3166, two letters. */
  readonly country: string | null
}

export function matchedEvent(event: Event): MatchedEvent {
  return {
    type: event.type,
    service: event.service,
    ...('webhook' in event && { webhook: event.webhook }),
    ...('component' in event && { component: event.component }),
    pickedUp: isPickUp(event),
    whole: () => event,
  }
}

export function isPickUp(event: Event): boolean {
  return event.type === 'call.inbound.answered' && event.call.via === 'pickup'
}

/** Why an event does not fire a webhook. */
export type MismatchCode =
  | 'trigger'
  | 'other_service'
  | 'other_component'
  | 'service_gone'
  | 'applications_off'
  | 'disabled_by_user'
  | 'about_itself'
  | 'picked_up'
  | 'filtered'

export type Match =
  | { readonly deliver: true }
  | { readonly deliver: false; readonly because: MismatchCode; readonly says: string }

const says = {
  trigger: 'The webhook does not have this trigger.',
  other_service: 'The webhook is for another service.',
  other_component: 'The webhook is of another Webhook object of the call flow.',
  service_gone: 'The service of the event was deleted.',
  applications_off: 'The Applications switch of the service is off.',
  disabled_by_user: 'The webhook was disabled by a user when it happened.',
  about_itself: 'The event tells that this very webhook was disabled.',
  picked_up:
    'The call was picked up by another user, which the webhook does not count as answered.',
} as const satisfies Record<Exclude<MismatchCode, 'filtered'>, string>

/**
 * Whether the event becomes a delivery of the webhook; both are of one account.
 *
 * The Applications switch rules the triggers of a PBX, and all that a webhook of that PBX has; those of the account (users,
 * webhooks) fire webhooks of the account whatever it says.
 * A webhook that was disabled automatically still gets deliveries: they are held until somebody enables it, because
 * nobody decided to do without them. One that a user disabled gets none.
 */
export function match(
  event: MatchedEvent,
  webhook: MatchingWebhook,
  /** Of the event; null: it has none, or that is gone. */
  service: MatchedService | null,
): Match {
  const because = switchedOff(event, webhook, service)
  if (because !== null) return { deliver: false, because, says: says[because] }
  const filtered = webhook.filters?.(event.whole(), service?.country ?? null) ?? null
  return filtered === null
    ? { deliver: true }
    : { deliver: false, because: 'filtered', says: filtered }
}

function switchedOff(
  event: MatchedEvent,
  webhook: MatchingWebhook,
  service: MatchedService | null,
): keyof typeof says | null {
  if (!webhook.triggers.has(event.type)) return 'trigger'
  if (webhook.serviceUuid !== null && webhook.serviceUuid !== event.service?.uuid) {
    return 'other_service'
  }
  if (webhook.component !== null && webhook.component !== event.component?.name) {
    return 'other_component'
  }
  const ofPbx = webhook.serviceUuid !== null || eventCatalogue[event.type].scope === 'service'
  const off = ofPbx ? offAt(service) : null
  if (off !== null) return off
  if (!webhook.enabled && webhook.disabledReason === 'by_user') return 'disabled_by_user'
  if (event.type === 'webhook.disabled' && event.webhook?.id === webhook.id) return 'about_itself'
  if (event.pickedUp && !webhook.countPickups) return 'picked_up'
  return null
}

function offAt(service: MatchedService | null): 'service_gone' | 'applications_off' | null {
  if (service === null) return 'service_gone'
  return service.applicationsEnabled ? null : 'applications_off'
}
