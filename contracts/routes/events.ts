/** Events, their types, and what became of them. */
import { z } from 'zod'
import { EventTypeInfo, StoredEvent } from '#contracts/event-type.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { Explanation } from '#contracts/explain.ts'
import { EventId } from '#contracts/ids.ts'
import { listQuery, pageOf, pageQuery } from '#contracts/page.ts'
import { period, route } from '#contracts/route.ts'
import { NumberFilter } from '#contracts/search.ts'

export const eventsRoutes = {
  listEvents: route({
    method: 'GET',
    path: '/api/v1/events',
    tag: 'Events',
    summary: 'List events in the native form.',
    query: z.strictObject({
      ...listQuery,
      type: EventTypeName.optional().meta({ description: 'Only those of this type.' }),
      service_uuid: z.uuid().optional().meta({ description: 'Only those of this service.' }),
      call_uuid: z.uuid().optional().meta({ description: 'Only those of this call.' }),
      number: NumberFilter.optional(),
      ...period,
    }),
    answer: pageOf(StoredEvent),
    exported: 'events',
    problems: ['invalid_cursor', 'too_many_exports'],
  }),

  getEvent: route({
    method: 'GET',
    path: '/api/v1/events/:id',
    tag: 'Events',
    summary: 'Read an event in the native form.',
    params: z.strictObject({ id: EventId }),
    answer: StoredEvent,
    problems: ['not_found'],
  }),

  explainEvent: route({
    method: 'GET',
    path: '/api/v1/events/:id/explain',
    tag: 'Events',
    summary:
      'Why did this not fire? For each webhook: what became of the event, or what stopped it.',
    params: z.strictObject({ id: EventId }),
    query: z.strictObject({ ...pageQuery }),
    answer: Explanation,
    problems: ['not_found', 'invalid_cursor'],
  }),

  listEventTypes: route({
    method: 'GET',
    path: '/api/v1/event-types',
    tag: 'Events',
    summary: 'The event catalogue: every trigger with its fields, a sample and its JSON Schema.',
    answer: z.object({ items: z.array(EventTypeInfo) }),
  }),
} as const
