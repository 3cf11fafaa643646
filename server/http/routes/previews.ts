import { api } from '#contracts/api.ts'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import type { ServiceRef } from '#contracts/events/facts.ts'
import { eventFields } from '#contracts/events/field-names.ts'
import { fieldPath } from '#contracts/field-path.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { Preview, TestResult } from '#contracts/preview.ts'
import type { FieldError } from '#contracts/problem.ts'
import { inconsistencies } from '#contracts/webhook/consistency.ts'
import { type Webhook, WebhookChange, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { sampleEvent } from '#server/domain/events/sample-event.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import { filterHints } from '#server/domain/filter-hints.ts'
import { match, matchedEvent } from '#server/domain/match.ts'
import { type Previewed, previewHints, previewRequest } from '#server/domain/preview.ts'
import { mergedCauses } from '#server/domain/render/hangup-causes.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { isoOf } from '#server/domain/times.ts'
import { settingsAfter } from '#server/domain/webhook-settings.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, parsed, type Serving, serve, wrongFields } from '#server/http/serve.ts'
import { payloadProblems } from '#server/http/webhook-checks.ts'
import type { TestSent } from '#server/pipeline/send-test.ts'
import { getAccountSettings } from '#server/store/account-settings.ts'
import { getEvent } from '#server/store/events.ts'
import { newId } from '#server/store/new-id.ts'
import { getPbxDocument, getService } from '#server/store/services.ts'
import { getWebhook } from '#server/store/webhooks.ts'

/** The settings of a form as far as the preview needs them: whole and parsed, or what is wrong with them. */
type Settings = Pick<
  Webhook,
  | 'url'
  | 'service_uuid'
  | 'scope'
  | 'triggers'
  | 'filters'
  | 'count_pickups'
  | 'method'
  | 'format'
  | 'path_arguments'
  | 'authentication'
  | 'signed'
  | 'headers'
  | 'payload'
  | 'hangup_causes'
  | 'connector'
>
type Parsed = { readonly settings: Settings } | { readonly problems: readonly FieldError[] }

function parseDraft(given: unknown): Parsed {
  const { value, errors } = parsed(WebhookDraft, given)
  return errors.length > 0 ? { problems: errors } : { settings: value as WebhookDraft }
}

function parseChange(webhook: Webhook, given: unknown): Parsed {
  const { value, errors } = parsed(WebhookChange, given)
  if (errors.length > 0) return { problems: errors }
  const settings = settingsAfter(webhook, value as WebhookChange)
  const wrong = inconsistencies(settings)
  return wrong.length === 0
    ? { settings }
    : {
        problems: wrong.map(({ path, message }) => ({
          field: fieldPath(path),
          code: 'invalid',
          message,
        })),
      }
}

/** A past event of the account, or a sample of the service that the settings name. */
async function eventOf(
  { store, now }: RouteDeps,
  caller: Caller,
  source: { readonly trigger: EventType | null; readonly event_id: string | null },
  serviceUuid: string | null,
): Promise<Event> {
  if (source.event_id !== null) return found(await getEvent(store, caller.id, source.event_id))
  const type = source.trigger ?? 'call.ended'
  const service = await serviceRef(store, caller.id, serviceUuid)
  return sampleEvent(type, { id: newId('event'), account: caller, service, at: now() })
}

async function serviceRef(
  store: RouteDeps['store'],
  accountId: string,
  uuid: string | null,
): Promise<ServiceRef | null> {
  const service = uuid === null ? null : await getService(store, accountId, uuid)
  if (service === null) return null
  const { name, friendly_name } = service
  return { uuid: service.uuid, name, friendly_name, type: 'hosted_pbx' }
}

/** Whether the event would fire such a webhook, were it there and enabled. */
async function verdictOf(
  { store }: RouteDeps,
  caller: Caller,
  event: Event,
  settings: Settings,
): Promise<Pick<Preview, 'fires' | 'why_not'>> {
  const uuid = event.service?.uuid
  const service = uuid === undefined ? null : await getService(store, caller.id, uuid)
  // The service of a sample is nobody's: what its switch says is not known.
  const switched = service?.applications_enabled ?? true
  const webhook = {
    id: '',
    serviceUuid: settings.service_uuid,
    component: null,
    triggers: new Set(settings.triggers),
    filters: prepareFilters(settings.filters),
    countPickups: settings.count_pickups,
    enabled: true,
    disabledReason: null,
  }
  const verdict = match(matchedEvent(event), webhook, {
    applicationsEnabled: switched,
    country: service?.country ?? null,
  })
  return { fires: verdict.deliver, why_not: verdict.deliver ? null : verdict.says }
}

/** The PBX that the settings are for; null: none in particular, or one that Offhook does not configure. */
async function documentOf(
  { store }: RouteDeps,
  caller: Caller,
  { service_uuid }: Settings,
): Promise<PbxDocument | null> {
  return service_uuid === null ? null : await getPbxDocument(store, caller.id, service_uuid)
}

async function urlProblems(
  { whyForbidden }: RouteDeps,
  { url, authentication }: Settings,
): Promise<FieldError[]> {
  const asked = [{ field: 'url', url }]
  if (authentication.type === 'oauth2') {
    asked.push({ field: 'authentication.token_url', url: authentication.token_url })
  }
  const found = await Promise.all(
    asked.map(async ({ field, url: one }) => ({ field, message: await whyForbidden(one) })),
  )
  return found.flatMap(({ field, message }) =>
    message === null ? [] : [{ field, code: 'address_forbidden', message }],
  )
}

function testResult(event: Event, sent: TestSent): TestResult {
  const { outcome } = sent
  const { timings } = outcome
  return {
    event_id: event.id,
    started_at: isoOf(sent.startedAt),
    duration_ms: outcome.durationMs,
    timings: {
      dns_ms: timings.dnsMs,
      connect_ms: timings.connectMs,
      tls_ms: timings.tlsMs,
      first_byte_ms: timings.firstByteMs,
    },
    ok: outcome.ok,
    status_code: outcome.statusCode,
    error: outcome.error,
    error_detail: outcome.errorDetail,
    remote_address: outcome.remoteAddress,
    http_version: outcome.httpVersion,
    method: sent.method,
    url: sent.url,
    request_headers: sent.requestHeaders,
    request_body: sent.requestBody,
    response_headers: outcome.responseHeaders,
    response_body: outcome.responseBody,
    response_truncated: outcome.responseTruncated,
    earlier_requests: [...sent.earlierRequests],
  }
}

/** The request, or why the payload makes none of this event. */
async function requestOr(
  deps: RouteDeps,
  accountId: string,
  previewed: Previewed,
): Promise<Pick<Preview, 'request' | 'problems'>> {
  const { payload } = previewed.request
  const problems = await payloadProblems(deps, accountId, payload)
  if (problems.length > 0) return { request: null, problems }
  try {
    const request =
      payload.style === 'template'
        ? await deps.templates.preview(accountId, previewed)
        : previewRequest(previewed)
    return { request, problems: [] }
  } catch (error) {
    if (!(error instanceof NotRenderedError)) throw error
    const { message } = error
    return { request: null, problems: [{ field: 'payload', code: 'invalid', message }] }
  }
}

/** What a template reads is told by the engine that renders it. */
async function payloadHints(
  { templates }: RouteDeps,
  accountId: string,
  { payload }: Settings,
  type: EventType,
): Promise<Preview['hints']> {
  if (payload.style !== 'template') return []
  const hints = await templates.hints(accountId, payload, type)
  return hints.map((message) => ({ field: 'payload.template', message }))
}

/** Throws `invalid_input` for a name that is no type of event. */
function triggersOf(list: string): ReadonlySet<EventType> {
  const names = list.split(',').map((name) => name.trim())
  const wrong = names.filter((name) => !EventTypeName.safeParse(name).success)
  if (wrong.length > 0) {
    const message = `must be types of event with commas between, which "${wrong[0]}" is not`
    throw wrongFields([{ field: 'triggers', code: 'not_allowed', message }])
  }
  return new Set(names as EventType[])
}

export function servePreviews(serving: Serving, deps: RouteDeps): void {
  const { store, now, version } = deps
  serve(serving, api.previewWebhook, async ({ caller, body }) => {
    const { webhook_id: id } = body
    const result =
      id === null
        ? parseDraft(body.webhook)
        : parseChange(found(await getWebhook(store, caller.id, id)), body.webhook)
    if ('problems' in result) {
      const event = await eventOf(deps, caller, body, null)
      return { event, request: null, fires: null, why_not: null, hints: [], ...result }
    }
    const { settings } = result
    const event = await eventOf(deps, caller, body, settings.service_uuid)
    const { hangup_causes: ofAccount } = await getAccountSettings(store.read, caller.id)
    const hangup_causes = mergedCauses(ofAccount, settings.hangup_causes)
    const request = { ...settings, hangup_causes }
    const previewed = { event, url: settings.url, request, version, now: now() }
    const made = await requestOr(deps, caller.id, previewed)
    return {
      event,
      request: made.request,
      ...(await verdictOf(deps, caller, event, settings)),
      problems: [...(await urlProblems(deps, settings)), ...made.problems],
      hints: [
        ...previewHints(event, settings),
        ...(await payloadHints(deps, caller.id, settings, event.type)),
        ...filterHints(event.type, settings.filters, await documentOf(deps, caller, settings)),
      ],
    }
  })

  serve(serving, api.testWebhook, async ({ caller, params, body }) => {
    const webhook = found(await getWebhook(store, caller.id, params.id))
    const event = await eventOf(deps, caller, body, webhook.service_uuid)
    const sent = await deps.tester.send(caller.id, webhook.id, event)
    if (sent === 'too_many') throw new ProblemError('too_many_tests')
    return testResult(event, found(sent))
  })

  serve(serving, api.listEventFields, async ({ query }) => {
    const wanted = query.triggers === undefined ? null : triggersOf(query.triggers)
    const fields = [...eventFields.values()].filter(
      ({ triggers }) => wanted === null || triggers.some((type) => wanted.has(type)),
    )
    return { items: fields }
  })
}
