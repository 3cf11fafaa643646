/** Deliveries and their attempts. */
import { z } from 'zod'
import { Attempt, AttemptError, Delivery, DeliveryState } from '#contracts/delivery.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { DeliveryId, EventId, WebhookId } from '#contracts/ids.ts'
import { listQuery, pageOf } from '#contracts/page.ts'
import { period, route } from '#contracts/route.ts'
import { NumberFilter, StatusFilter } from '#contracts/search.ts'

const deliveryParams = z.strictObject({ id: DeliveryId })

const deliveryFilters = {
  webhook_id: WebhookId.optional(),
  state: DeliveryState.optional().meta({ description: 'Of the delivery.' }),
  event_type: EventTypeName.optional().meta({ description: 'Of events of this type.' }),
  event_id: EventId.optional(),
  service_uuid: z.uuid().optional().meta({ description: 'Of events of this service.' }),
  call_uuid: z.uuid().optional().meta({ description: 'Of events of this call.' }),
  number: NumberFilter.optional(),
  ...period,
}

export const deliveriesRoutes = {
  listDeliveries: route({
    method: 'GET',
    path: '/api/v1/deliveries',
    tag: 'Deliveries',
    summary: 'Search deliveries, newest first; those of a number newest call first.',
    query: z.strictObject({
      ...listQuery,
      ...deliveryFilters,
      status_code: StatusFilter.optional().meta({ description: 'Of the last attempt.' }),
      error: AttemptError.optional().meta({ description: 'Of the last attempt.' }),
    }),
    answer: pageOf(Delivery),
    exported: 'deliveries',
    problems: ['invalid_cursor', 'too_many_exports'],
  }),

  getDelivery: route({
    method: 'GET',
    path: '/api/v1/deliveries/:id',
    tag: 'Deliveries',
    summary: 'Read a delivery.',
    params: deliveryParams,
    answer: Delivery,
    versionOf: Delivery,
    problems: ['not_found'],
  }),

  resendDelivery: route({
    method: 'POST',
    path: '/api/v1/deliveries/:id/resend',
    tag: 'Deliveries',
    summary:
      'Send a delivery that ended again, with the same event id and the header webhook-resend. One that waits or is under way stays as it is.',
    params: deliveryParams,
    answer: Delivery,
    versionOf: Delivery,
    problems: ['not_found', 'cannot_resend'],
  }),

  cancelDelivery: route({
    method: 'POST',
    path: '/api/v1/deliveries/:id/cancel',
    tag: 'Deliveries',
    summary: 'Cancel a delivery that waits; one that was given up stops blocking its call.',
    params: deliveryParams,
    answer: Delivery,
    versionOf: Delivery,
    problems: ['not_found', 'not_waiting'],
  }),

  listAttempts: route({
    method: 'GET',
    path: '/api/v1/deliveries/:id/attempts',
    tag: 'Deliveries',
    summary: 'List the attempts of a delivery: request, response, timing, and what comes next.',
    params: deliveryParams,
    query: z.strictObject({ ...listQuery }),
    answer: pageOf(Attempt),
    exported: 'attempts',
    problems: ['not_found', 'invalid_cursor', 'too_many_exports'],
  }),

  searchAttempts: route({
    method: 'GET',
    path: '/api/v1/attempts',
    tag: 'Deliveries',
    summary: 'Search attempts, newest delivery first; the period is that in which they began.',
    query: z.strictObject({
      ...listQuery,
      ...deliveryFilters,
      status_code: StatusFilter.optional(),
      error: AttemptError.optional().meta({ description: 'Why the attempt failed.' }),
      ok: z
        .stringbool({ truthy: ['true'], falsy: ['false'] })
        .optional()
        .meta({ description: 'true: the receiver answered 2xx; false: the attempt failed.' }),
    }),
    answer: pageOf(Attempt),
    exported: 'attempts',
    problems: ['invalid_cursor', 'too_many_exports'],
  }),
} as const
