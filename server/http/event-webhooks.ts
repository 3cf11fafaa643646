/** What receivers get, in the words of OpenAPI 3.1: its `webhooks` section, one entry for each type of event. Pure. */
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { eventName, type Json } from '#server/http/schemas.ts'

/** The headers of every signed request, with what they hold. */
export const requestHeaders = {
  'webhook-id': {
    description:
      'The id of the event, the same over retries, resends and backfill: deduplicate by it.',
    example: 'evt_01KANV7B2N9S4XQ6',
  },
  'webhook-timestamp': {
    description:
      'When this request left, in seconds since 1970. Refuse what is older than five minutes.',
    example: '1795378481',
  },
  'webhook-signature': {
    description:
      'Space-separated list of signatures by Standard Webhooks: v1, and the HMAC-SHA-256 of id.timestamp.body in base64. During the rotation of a secret there are two.',
    example: 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  },
} as const

/** Headers that only some requests have. */
const marks = {
  'webhook-resend': {
    description: 'Which time that somebody had it sent again; absent: nobody had.',
    example: '1',
  },
  'webhook-test': { description: 'true: a test event; nothing has happened.', example: 'true' },
} as const

const headerParameter =
  (required: boolean) =>
  ([name, { description, example }]: [string, { description: string; example: string }]) => ({
    name,
    in: 'header',
    required,
    description,
    schema: { type: 'string' },
    example,
  })

function operationOf(type: EventType): Json {
  const { label, description } = eventCatalogue[type]
  return {
    operationId: `on${eventName(type)}`,
    tags: ['Events'],
    summary: label,
    description,
    security: [],
    parameters: [
      ...Object.entries(requestHeaders).map(headerParameter(true)),
      ...Object.entries(marks).map(headerParameter(false)),
    ],
    requestBody: {
      required: true,
      description: 'The native payload; a webhook can be set to send others.',
      content: {
        'application/json': {
          schema: { $ref: `#/components/schemas/${eventName(type)}` },
          example: eventSamples[type],
        },
      },
    },
    responses: {
      '2XX': { description: 'Received: the event is not sent again.' },
      '410': { description: 'Gone for good: the webhook is disabled.' },
      '429': { description: 'Too many: sent again, after Retry-After where it is there.' },
      default: { description: 'Not received: sent again by the schedule of the webhook.' },
    },
  }
}

export function eventWebhooks(): Json {
  return Object.fromEntries(eventTypes.map((type) => [type, { post: operationOf(type) }]))
}
