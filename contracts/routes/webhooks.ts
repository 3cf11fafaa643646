/** Webhooks, and work on many of their deliveries. */
import { z } from 'zod'
import { BulkResult, bulkPeriod, bulkQuery } from '#contracts/bulk.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { pageOf, pageQuery } from '#contracts/page.ts'
import { route, webhookParams } from '#contracts/route.ts'
import { webhookScopes } from '#contracts/webhook/consistency.ts'
import { RotatedWebhook, SecretRotation } from '#contracts/webhook/rotation.ts'
import {
  CreatedWebhook,
  Webhook,
  WebhookChange,
  WebhookDraft,
  WebhookVersion,
} from '#contracts/webhook/webhook.ts'

export const webhooksRoutes = {
  createWebhook: route({
    method: 'POST',
    path: '/api/v1/webhooks',
    tag: 'Webhooks',
    summary: 'Create a webhook. The reply shows the signing secret, once.',
    body: WebhookDraft,
    status: 201,
    answer: CreatedWebhook,
    idempotent: true,
    versionOf: WebhookVersion,
  }),

  listWebhooks: route({
    method: 'GET',
    path: '/api/v1/webhooks',
    tag: 'Webhooks',
    summary: 'List your webhooks, newest first, or those that you ask for.',
    query: z.strictObject({
      ...pageQuery,
      service_uuid: z.uuid().optional().meta({ description: 'Only those of this service.' }),
      trigger: EventTypeName.optional().meta({ description: 'Only those with this trigger.' }),
      scope: z.enum(webhookScopes).optional().meta({ description: 'Only those of this scope.' }),
      state: z.enum(['enabled', 'failing', 'disabled']).optional().meta({
        description:
          'Only those in this state. failing: enabled, and the circuit breaker is not closed; enabled has these too.',
      }),
      name: z.string().trim().min(1).max(200).optional().meta({
        description: 'Only those whose name has this text in it, in upper or lower case.',
      }),
    }),
    answer: pageOf(Webhook),
    problems: ['invalid_cursor'],
  }),

  getWebhook: route({
    method: 'GET',
    path: '/api/v1/webhooks/:id',
    tag: 'Webhooks',
    summary: 'Read a webhook.',
    params: webhookParams,
    answer: Webhook,
    versionOf: WebhookVersion,
    problems: ['not_found'],
  }),

  changeWebhook: route({
    method: 'PATCH',
    path: '/api/v1/webhooks/:id',
    tag: 'Webhooks',
    summary: 'Change a webhook; fields that are not given stay as they are.',
    params: webhookParams,
    body: WebhookChange,
    answer: Webhook,
    versionOf: WebhookVersion,
    problems: ['not_found', 'precondition_failed'],
  }),

  deleteWebhook: route({
    method: 'DELETE',
    path: '/api/v1/webhooks/:id',
    tag: 'Webhooks',
    summary: 'Delete a webhook and its deliveries.',
    params: webhookParams,
    status: 204,
    versionOf: WebhookVersion,
    problems: ['not_found', 'precondition_failed', 'made_by_call_flow'],
  }),

  enableWebhook: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/enable',
    tag: 'Webhooks',
    summary: 'Switch a webhook on; the deliveries that were held go out.',
    params: webhookParams,
    answer: Webhook,
    versionOf: WebhookVersion,
    problems: ['not_found', 'precondition_failed'],
  }),

  disableWebhook: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/disable',
    tag: 'Webhooks',
    summary: 'Switch a webhook off; its deliveries are held.',
    params: webhookParams,
    answer: Webhook,
    versionOf: WebhookVersion,
    problems: ['not_found', 'precondition_failed'],
  }),

  rotateSecret: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/rotate-secret',
    tag: 'Webhooks',
    summary:
      'Give a webhook a new signing secret, shown once in the reply. For the time of the overlap requests carry two signatures, that of the new secret first.',
    params: webhookParams,
    body: SecretRotation,
    answer: RotatedWebhook,
    idempotent: true,
    problems: ['not_found'],
  }),

  enableDisabledWebhooks: route({
    method: 'POST',
    path: '/api/v1/webhooks/enable-disabled',
    tag: 'Webhooks',
    summary:
      'Switch on all webhooks that were disabled automatically, and only those; what was held goes out.',
    query: bulkQuery,
    answer: BulkResult,
    problems: ['invalid_cursor'],
  }),

  recoverDeliveries: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/recover',
    tag: 'Webhooks',
    summary: 'Send again every delivery that was given up in the period.',
    params: webhookParams,
    query: bulkQuery,
    body: bulkPeriod,
    answer: BulkResult,
    problems: ['not_found', 'invalid_cursor'],
  }),

  replayMissing: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/replay-missing',
    tag: 'Webhooks',
    summary:
      'Deliver the events of the period that match the webhook as it is now and never became a delivery of it.',
    params: webhookParams,
    query: bulkQuery,
    body: bulkPeriod,
    answer: BulkResult,
    problems: ['not_found', 'invalid_cursor', 'webhook_disabled'],
  }),

  cancelWaiting: route({
    method: 'POST',
    path: '/api/v1/webhooks/:id/cancel-waiting',
    tag: 'Webhooks',
    summary: 'Cancel every delivery that waits, pending or held.',
    params: webhookParams,
    query: bulkQuery,
    answer: BulkResult,
    problems: ['not_found', 'invalid_cursor'],
  }),
} as const
