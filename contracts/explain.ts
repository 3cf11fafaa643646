import { z } from 'zod'
import { Delivery } from '#contracts/delivery.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { EventId, WebhookId } from '#contracts/ids.ts'
import { pageOf } from '#contracts/page.ts'

/**
 * What became of an event at a webhook. The first group has a delivery, the second has none: something stopped the
 * event before.
 */
export const verdicts = {
  delivered: 'The receiver has it.',
  leased: 'A process has it: its request is under way, or leaves as soon as there is a slot.',
  waiting_delay: 'The first try is not due yet: the webhook waits after an event.',
  waiting_retry: 'A try failed, and the next one is not due yet.',
  waiting_breaker: 'The receiver fails so much that nothing is sent to it for a while.',
  waiting_earlier_event:
    'An earlier event of the call was given up, and the webhook blocks until somebody resends or cancels that one.',
  waiting_in_line:
    'It is due, and waits for a free slot, for the rate limit or for an earlier event.',
  held: 'The webhook is disabled; it goes out when the webhook is enabled.',
  exhausted: 'It was given up after its last try.',
  waited_too_long: 'It was given up: it could not be sent for as long as things are kept.',
  cancelled: 'A user cancelled it.',

  trigger: 'The webhook does not have this trigger.',
  other_service: 'The webhook is for another service.',
  other_component: 'The webhook is of another Webhook object of the call flow.',
  service_gone: 'The service of the event was deleted.',
  applications_off: 'The Applications switch of the service was off.',
  disabled_by_user: 'The webhook was disabled by a user.',
  about_itself: 'The event tells that this very webhook was disabled.',
  picked_up:
    'The call was picked up by another user, which the webhook does not count as answered.',
  filtered: 'A filter of the webhook stopped it.',
  webhook_newer: 'The webhook did not exist yet.',
  settings_changed: 'It would fire now, by settings that were changed after the event.',
  removed: 'It matched, and its delivery is not kept any more.',
} as const satisfies Record<string, string>

export type VerdictCode = keyof typeof verdicts
const verdictCodes = Object.keys(verdicts) as [VerdictCode, ...VerdictCode[]]

export const Verdict = z
  .object({
    webhook_id: WebhookId,
    webhook_name: z.string(),
    code: z.enum(verdictCodes).meta({ description: 'What became of the event at the webhook.' }),
    says: z.string().meta({ description: 'The same for a person, with times and reasons.' }),
    by_present_settings: z.boolean().meta({
      description:
        'True: nothing is kept of why, and the settings of webhook or service have changed since the event, so the verdict is by those of now.',
    }),
    delivery: Delivery.nullable().meta({ description: 'Null: the event never became a delivery.' }),
  })
  .meta({ id: 'Verdict' })
export type Verdict = z.infer<typeof Verdict>

/** The event that verdicts are about. */
export const ExplainedEvent = z
  .object({
    id: EventId,
    type: EventTypeName,
    occurred_at: Timestamp,
    accepted_at: Timestamp.meta({
      description: 'When Offhook had it and compared it with the webhooks.',
    }),
    service_uuid: z.uuid().nullable(),
    call_uuid: z.uuid().nullable(),
  })
  .meta({ id: 'ExplainedEvent' })
export type ExplainedEvent = z.infer<typeof ExplainedEvent>

export const Explanation = z
  .object({
    event: ExplainedEvent,
    ...pageOf(Verdict).shape,
  })
  .meta({ id: 'Explanation' })
export type Explanation = z.infer<typeof Explanation>
