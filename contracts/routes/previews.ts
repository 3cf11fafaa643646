/** What webhooks would send, and what they can be made of. */
import { z } from 'zod'
import { EventFieldInfo } from '#contracts/event-type.ts'
import { Preview, PreviewInput, TestInput, TestResult } from '#contracts/preview.ts'
import { route, webhookParams } from '#contracts/route.ts'

export const previewsRoutes = {
  previewWebhook: route({
    method: 'POST',
    path: '/api/v1/webhooks/preview',
    tag: 'Webhooks',
    summary:
      'The exact request that settings would give, made of a sample or a past event, and every problem with them. Nothing is stored or sent.',
    body: PreviewInput,
    answer: Preview,
    problems: ['not_found'],
  }),

  testWebhook: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/test',
    tag: 'Webhooks',
    summary:
      'Send a test event now, with the header webhook-test: true, whether the webhook is enabled or not. Nothing is stored, nothing is tried again.',
    params: webhookParams,
    body: TestInput,
    answer: TestResult,
    problems: ['not_found', 'too_many_tests'],
  }),

  listEventFields: route({
    method: 'GET',
    path: '/api/v1/event-fields',
    tag: 'Events',
    summary: 'The fields that a mapped payload, a header or a path argument can have.',
    query: z.strictObject({
      triggers: z.string().max(4000).optional().meta({
        description: 'Types of event with commas between: only the fields that one of them has.',
      }),
    }),
    answer: z.object({ items: z.array(EventFieldInfo) }),
  }),
} as const
