import { type EventType, eventCatalogue } from '#contracts/events/catalogue.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'

/** What decides whether an event fires a webhook. */
export interface MatchingWebhook {
  readonly id: string
  /** Null: events of every service of the account. */
  readonly serviceUuid: string | null
  /** The Webhook object of a call flow that it is; null: it is none. */
  readonly component: string | null
  readonly triggers: ReadonlySet<EventType>
  readonly enabled: boolean
  readonly disabledReason: Webhook['disabled_reason']
}

/** What of an event decides; every event has it. */
export interface MatchedEvent {
  readonly type: EventType
  readonly service: { readonly uuid: string } | null
  readonly webhook?: { readonly id: string }
  readonly component?: { readonly name: string }
}

/** Why an event does not fire a webhook. */
export type MismatchCode =
  | 'trigger'
  | 'other_service'
  | 'other_component'
  | 'applications_off'
  | 'disabled_by_user'
  | 'about_itself'

export type Match =
  | { readonly deliver: true }
  | { readonly deliver: false; readonly because: MismatchCode; readonly says: string }

const says = {
  trigger: 'The webhook does not have this trigger.',
  other_service: 'The webhook is for another service.',
  other_component: 'The webhook is of another Webhook object of the call flow.',
  applications_off: 'The Applications switch of the service is off.',
  disabled_by_user: 'The webhook was disabled by a user when it happened.',
  about_itself: 'The event tells that this very webhook was disabled.',
} as const satisfies Record<MismatchCode, string>

const no = (because: MismatchCode): Match => ({ deliver: false, because, says: says[because] })

/**
 * Whether the event becomes a delivery of the webhook; both are of one account.
 *
 * The Applications switch rules the triggers of a PBX; those of the account (users, webhooks) fire whatever it says.
 * A webhook that was disabled automatically still gets deliveries: they are held until somebody enables it, because
 * nobody decided to do without them. One that a user disabled gets none.
 */
export function match(
  event: MatchedEvent,
  webhook: MatchingWebhook,
  applicationsEnabled: boolean,
): Match {
  if (!webhook.triggers.has(event.type)) return no('trigger')
  if (webhook.serviceUuid !== null && webhook.serviceUuid !== event.service?.uuid) {
    return no('other_service')
  }
  if (webhook.component !== null && webhook.component !== event.component?.name) {
    return no('other_component')
  }
  if (eventCatalogue[event.type].scope === 'service' && !applicationsEnabled) {
    return no('applications_off')
  }
  if (!webhook.enabled && webhook.disabledReason === 'by_user') return no('disabled_by_user')
  if (event.type === 'webhook.disabled' && event.webhook?.id === webhook.id) {
    return no('about_itself')
  }
  return { deliver: true }
}
