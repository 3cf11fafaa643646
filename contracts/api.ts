/**
 * Every route of the REST API once, as data: address, guard, input, answer. `server/http/` serves this table,
 * `/api/openapi.json` is made from it, and a client can be typed by it.
 */
import { z } from 'zod'
import {
  AgentHello,
  AgentReceipt,
  AgentRecords,
  AgentWelcome,
  NewAgentToken,
} from '#contracts/agent.ts'
import { Attempt, AttemptError, Delivery, DeliveryState } from '#contracts/delivery.ts'
import { type Event, EventTypeName } from '#contracts/events/catalogue.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { Explanation } from '#contracts/explain.ts'
import type { ExportName } from '#contracts/export.ts'
import { DeliveryId, EventId, WebhookId } from '#contracts/ids.ts'
import { listQuery, pageOf, pageQuery } from '#contracts/page.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import type { ProblemCode } from '#contracts/problem.ts'
import { NumberFilter, StatusFilter } from '#contracts/search.ts'
import { Service, ServiceChange, ServiceDraft, ShownService } from '#contracts/service.ts'
import { TestCall } from '#contracts/test-call.ts'
import {
  Authorities,
  AuthoritiesDraft,
  CertificateInfo,
  ClientCertificateDraft,
} from '#contracts/tls.ts'
import {
  Webhook,
  WebhookChange,
  WebhookDraft,
  WebhookSecret,
  WebhookVersion,
} from '#contracts/webhook.ts'

export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  A extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters as `:name`. */
  readonly path: string
  readonly tag: 'Account' | 'Services' | 'Agents' | 'Webhooks' | 'Deliveries' | 'Events' | 'Health'
  readonly summary: string
  /** Who may call it: everybody, the holder of an API key, who sees only its account, or the agent of a service. */
  readonly guard: 'none' | 'api_key' | 'agent_token'
  readonly params: P
  readonly query: Q
  readonly body: B
  /** How many bytes a body may have, unpacked. */
  readonly bodyBytes: number
  /** Status of the successful reply; 204 has no body. */
  readonly status: 200 | 201 | 202 | 204
  readonly answer: A
  /** Creations: an `Idempotency-Key` header makes a repetition harmless. */
  readonly idempotent: boolean
  /**
   * The schema of the object that the route is about, where it is about one: replies carry its `ETag`, a change
   * heeds `If-Match`. The schema leaves out what only one reply shows, so that all routes agree on the tag.
   */
  readonly versionOf: z.ZodType | null
  /** A list that can be had as a whole, as CSV or NDJSON, and which columns it has then. */
  readonly exported: ExportName | null
  /** What can go wrong beside the problems that every route can answer with. */
  readonly problems: readonly ProblemCode[]
}

const nothing = z.undefined()
const defaults = {
  guard: 'api_key',
  params: nothing,
  query: nothing,
  body: nothing,
  // The largest PBX document of a big office has some hundred KiB.
  bodyBytes: 1024 * 1024,
  status: 200,
  answer: nothing,
  idempotent: false,
  versionOf: null,
  exported: null,
  problems: [],
} as const

type Defaults = typeof defaults
type Given = Pick<Route, 'method' | 'path' | 'tag' | 'summary'> & Partial<Route>

/** A route with the defaults filled in; keeps the exact types of its schemas. */
const route = <const R extends Given>(r: R): Omit<Defaults, keyof R> & R => ({ ...defaults, ...r })

const serviceParams = z.strictObject({ uuid: z.uuid() })
const webhookParams = z.strictObject({ id: WebhookId })
const deliveryParams = z.strictObject({ id: DeliveryId })

/** What work on many objects answers: it is done in small steps, for some seconds in one request. */
export const BulkResult = z
  .object({
    count: z.int().min(0).meta({ description: 'How many it changed or made.' }),
    next_cursor: z.string().nullable().meta({
      description: 'Null: all is done. Else send the same request with it as cursor to go on.',
    }),
  })
  .meta({ id: 'BulkResult' })
export type BulkResult = z.infer<typeof BulkResult>

const bulkQuery = z.strictObject({
  cursor: pageQuery.cursor.meta({ description: 'next_cursor of the request before, to go on.' }),
})

const bulkPeriod = z.strictObject({
  since: Timestamp.meta({ description: 'The beginning of the period.' }),
  until: Timestamp.optional().meta({ description: 'Its end; absent: now.' }),
})

const period = {
  since: Timestamp.optional().meta({ description: 'Not older than this.' }),
  until: Timestamp.optional().meta({ description: 'Older than this.' }),
}

const deliveryFilters = {
  webhook_id: WebhookId.optional(),
  state: DeliveryState.optional(),
  event_type: EventTypeName.optional(),
  event_id: EventId.optional(),
  service_uuid: z.uuid().optional(),
  call_uuid: z.uuid().optional(),
  number: NumberFilter.optional(),
  ...period,
}

export const CreatedWebhook = Webhook.extend({
  secret: WebhookSecret.meta({
    description: 'The signing secret, shown in this reply only. Receivers verify with it.',
  }),
}).meta({ id: 'CreatedWebhook' })
export type CreatedWebhook = z.infer<typeof CreatedWebhook>

/**
 * An event as it was stored. Not parsed again on its way out: an event that an older version stored must stay
 * readable. `server/http/openapi.ts` documents it as one of the catalogue's shapes.
 */
export const StoredEvent = z.any().meta({ id: 'Event' }) as z.ZodType<Event>

export const EventTypeInfo = z
  .object({
    type: EventTypeName,
    label: z.string(),
    description: z.string(),
    scope: z.enum(['account', 'service']),
    also_called: z
      .array(z.string())
      .meta({ description: 'Further names of the trigger in the hosted products.' }),
    phone_cloud_type: z.string().nullable(),
    fields: z.array(
      z.object({
        path: z.string(),
        label: z.string(),
        description: z.string(),
        type: z.string(),
        unit: z.string().nullable(),
        nullable: z.boolean(),
      }),
    ),
    sample: z.unknown().meta({ description: 'One event of the type, in the native form.' }),
    schema: z.record(z.string(), z.unknown()).meta({ description: 'JSON Schema, draft 2020-12.' }),
  })
  .meta({ id: 'EventTypeInfo' })
export type EventTypeInfo = z.infer<typeof EventTypeInfo>

export const Health = z.object({ status: z.literal('ok') }).meta({ id: 'Health' })
export const Readiness = z
  .object({
    status: z.literal('ok'),
    node: z.string().meta({ description: 'Id of this process among those on the database.' }),
    services: z
      .array(z.uuid())
      .meta({ description: 'UUIDs of the services whose PBXs this process captures.' }),
  })
  .meta({ id: 'Readiness' })

export const api = {
  createService: route({
    method: 'POST',
    path: '/api/v1/services',
    tag: 'Services',
    summary: 'Create a service: one PBX of your account.',
    body: ServiceDraft,
    status: 201,
    answer: ShownService,
    idempotent: true,
    versionOf: Service,
    problems: ['name_taken'],
  }),
  listServices: route({
    method: 'GET',
    path: '/api/v1/services',
    tag: 'Services',
    summary: 'List your services with their UUIDs.',
    query: z.strictObject({ ...pageQuery }),
    answer: pageOf(ShownService),
    problems: ['invalid_cursor'],
  }),
  getService: route({
    method: 'GET',
    path: '/api/v1/services/:uuid',
    tag: 'Services',
    summary: 'Read a service, and how its PBX is doing.',
    params: serviceParams,
    answer: ShownService,
    versionOf: Service,
    problems: ['not_found'],
  }),
  changeService: route({
    method: 'PATCH',
    path: '/api/v1/services/:uuid',
    tag: 'Services',
    summary: 'Change a service, for example its Applications switch.',
    params: serviceParams,
    body: ServiceChange,
    answer: ShownService,
    versionOf: Service,
    problems: ['not_found', 'name_taken', 'precondition_failed'],
  }),
  deleteService: route({
    method: 'DELETE',
    path: '/api/v1/services/:uuid',
    tag: 'Services',
    summary:
      'Delete a service, its PBX document and the webhooks that belong to it alone. A managed PBX is stopped, which ends its calls, and its voicemail and recordings are removed.',
    params: serviceParams,
    status: 204,
    versionOf: Service,
    problems: ['not_found', 'precondition_failed'],
  }),
  getPbxDocument: route({
    method: 'GET',
    path: '/api/v1/services/:uuid/pbx',
    tag: 'Services',
    summary: 'Read the PBX document: users, numbers, IVRs, queues and all else of a managed PBX.',
    params: serviceParams,
    answer: PbxDocument,
    versionOf: PbxDocument,
    problems: ['not_found'],
  }),
  putPbxDocument: route({
    method: 'PUT',
    path: '/api/v1/services/:uuid/pbx',
    tag: 'Services',
    summary:
      'Replace the PBX document of a managed PBX. The status of the service tells when it is applied, or why not.',
    params: serviceParams,
    body: PbxDocument,
    answer: PbxDocument,
    versionOf: PbxDocument,
    problems: ['not_found', 'not_managed', 'precondition_failed'],
  }),
  placeTestCall: route({
    method: 'POST',
    path: '/api/v1/services/:uuid/test-calls',
    tag: 'Services',
    summary: 'Place a real call on the demo PBX. The reply comes when the call is on its way.',
    params: serviceParams,
    body: TestCall,
    status: 202,
    answer: TestCall,
    problems: ['not_found', 'no_test_calls'],
  }),

  createAgentToken: route({
    method: 'POST',
    path: '/api/v1/services/:uuid/agent-token',
    tag: 'Agents',
    summary: 'Make the token of the agent of a PBX on another machine. The one before is void.',
    params: serviceParams,
    status: 201,
    answer: NewAgentToken,
    problems: ['not_found', 'no_agent'],
  }),
  connectAgent: route({
    method: 'POST',
    path: '/api/v1/agent/connect',
    tag: 'Agents',
    summary: 'For offhook agent: from where the record of its PBX is to be shipped.',
    guard: 'agent_token',
    body: AgentHello,
    answer: AgentWelcome,
    problems: ['agent_elsewhere'],
  }),
  shipRecords: route({
    method: 'POST',
    path: '/api/v1/agent/records',
    tag: 'Agents',
    summary: 'For offhook agent: rows of the record. The reply comes when they are committed.',
    guard: 'agent_token',
    body: AgentRecords,
    // A quarter of a MiB of the record, as JSON; a single row may have as much.
    bodyBytes: 8 * 1024 * 1024,
    answer: AgentReceipt,
    problems: ['agent_behind', 'agent_replaced', 'agent_elsewhere', 'not_committed'],
  }),

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
    summary: 'List your webhooks.',
    query: z.strictObject({
      ...pageQuery,
      service_uuid: z.uuid().optional().meta({ description: 'Only those of this service.' }),
      trigger: EventTypeName.optional().meta({ description: 'Only those with this trigger.' }),
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
    problems: ['not_found', 'precondition_failed'],
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
  getClientCertificate: route({
    method: 'GET',
    path: '/api/v1/webhooks/:id/client-certificate',
    tag: 'Webhooks',
    summary: 'Read what the certificate says that a webhook shows to its receiver (mTLS).',
    params: webhookParams,
    answer: CertificateInfo,
    versionOf: CertificateInfo,
    problems: ['not_found'],
  }),
  putClientCertificate: route({
    method: 'PUT',
    path: '/api/v1/webhooks/:id/client-certificate',
    tag: 'Webhooks',
    summary: 'Give a webhook the certificate that it shows to its receiver (mTLS).',
    params: webhookParams,
    body: ClientCertificateDraft,
    answer: CertificateInfo,
    versionOf: CertificateInfo,
    problems: ['not_found'],
  }),
  deleteClientCertificate: route({
    method: 'DELETE',
    path: '/api/v1/webhooks/:id/client-certificate',
    tag: 'Webhooks',
    summary: 'Take the certificate of a webhook away.',
    params: webhookParams,
    status: 204,
    problems: ['not_found'],
  }),
  getAuthorities: route({
    method: 'GET',
    path: '/api/v1/account/authorities',
    tag: 'Account',
    summary: 'Read the authorities whose receivers you trust beside the usual ones.',
    answer: Authorities,
    versionOf: Authorities,
  }),
  putAuthorities: route({
    method: 'PUT',
    path: '/api/v1/account/authorities',
    tag: 'Account',
    summary: 'Replace the authorities whose receivers you trust beside the usual ones.',
    body: AuthoritiesDraft,
    answer: Authorities,
    versionOf: Authorities,
    problems: ['precondition_failed'],
  }),

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
      error: AttemptError.optional(),
      ok: z.stringbool({ truthy: ['true'], falsy: ['false'] }).optional(),
    }),
    answer: pageOf(Attempt),
    exported: 'attempts',
    problems: ['invalid_cursor', 'too_many_exports'],
  }),

  listEvents: route({
    method: 'GET',
    path: '/api/v1/events',
    tag: 'Events',
    summary: 'List events in the native form.',
    query: z.strictObject({
      ...listQuery,
      type: EventTypeName.optional(),
      service_uuid: z.uuid().optional(),
      call_uuid: z.uuid().optional(),
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

  healthz: route({
    method: 'GET',
    path: '/healthz',
    tag: 'Health',
    summary: 'The process lives and its event loop turns.',
    guard: 'none',
    answer: Health,
  }),
  readyz: route({
    method: 'GET',
    path: '/readyz',
    tag: 'Health',
    summary: 'The database answers and takes writes: requests are welcome.',
    guard: 'none',
    answer: Readiness,
    problems: ['not_ready'],
  }),
} as const satisfies Record<string, Route>

export type RouteName = keyof typeof api
