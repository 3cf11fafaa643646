import { z } from 'zod'

/** The prefix of each kind of id, so that a stray id in a log says what it names. */
export const idPrefixes = {
  account: 'acc',
  webhook: 'wh',
  event: 'evt',
  delivery: 'dlv',
  attempt: 'att',
  apiKey: 'key',
} as const
export type IdKind = keyof typeof idPrefixes

const idOf = (kind: IdKind, what: string) =>
  z
    .string()
    .regex(
      new RegExp(`^${idPrefixes[kind]}_[0-9A-Za-z]{1,64}$`),
      `must be the ID of ${/^[AEIOU]/.test(what) ? 'an' : 'a'} ${what.toLowerCase()}, which begins with ${idPrefixes[kind]}_`,
    )
    .meta({ label: `${what} ID`, description: `Identifies the ${what.toLowerCase()}.` })

export const WebhookId = idOf('webhook', 'Webhook')
export const EventId = idOf('event', 'Event')
export const DeliveryId = idOf('delivery', 'Delivery')
export const AttemptId = idOf('attempt', 'Attempt')
