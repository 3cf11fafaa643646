import { api } from '#contracts/api.ts'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { EventTypeName, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import type { ServiceRef } from '#contracts/events/facts.ts'
import { eventFields } from '#contracts/events/field-names.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { Preview, TestResult } from '#contracts/preview.ts'
import { sampleEvent, sampleServiceUuid } from '#server/domain/events/sample-event.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import { filterHints } from '#server/domain/filter-hints.ts'
import { type MatchedService, match, matchedEvent } from '#server/domain/match.ts'
import { type Previewed, previewHints, previewRequest } from '#server/domain/preview.ts'
import { redactUrl } from '#server/domain/redact.ts'
import { mergedCauses } from '#server/domain/render/hangup-causes.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { isoOf } from '#server/domain/times.ts'
import {
  type PreviewedSettings,
  parseChange,
  parseDraft,
  rightFields,
} from '#server/http/previewed-settings.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, type Serving, serve, wrongFields } from '#server/http/serve.ts'
import { settingsProblems } from '#server/http/webhook-checks.ts'
import type { TestSent } from '#server/pipeline/send-test.ts'
import { getAccountSettings } from '#server/store/account-settings.ts'
import { servicesSwitchedOff } from '#server/store/applications-switch.ts'
import { getEvent } from '#server/store/events.ts'
import { newId } from '#server/store/new-id.ts'
import { getPbxDocument, getService } from '#server/store/services.ts'
import { getWebhook } from '#server/store/webhooks.ts'

/** A past event of the account, or a sample of what the settings name. */
async function eventOf(
  { store, now }: RouteDeps,
  caller: Caller,
  source: { readonly trigger: EventType | null; readonly event_id: string | null },
  of: { readonly service_uuid: string | null; readonly component: string | null },
): Promise<Event> {
  if (source.event_id !== null) return found(await getEvent(store, caller.id, source.event_id))
  const type = source.trigger ?? 'call.ended'
  const service = await serviceRef(store, caller.id, of.service_uuid)
  const { component } = of
  return sampleEvent(type, { id: newId('event'), account: caller, service, component, at: now() })
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

/** The service of a sample that is nobody's: it stops nothing. */
const anyService: MatchedService = { applicationsEnabled: true, country: null }

/** Whether the event would fire such a webhook, were it there and enabled. */
async function verdictOf(
  { store }: RouteDeps,
  caller: Caller,
  event: Event,
  settings: PreviewedSettings,
): Promise<Pick<Preview, 'fires' | 'why_not'>> {
  const webhook = {
    id: '',
    serviceUuid: settings.service_uuid,
    component: settings.component,
    triggers: new Set(settings.triggers),
    filters: prepareFilters(settings.filters),
    countPickups: settings.count_pickups,
    enabled: true,
    disabledReason: null,
  }
  const service =
    event.service?.uuid === sampleServiceUuid
      ? anyService
      : await matchedService(store, caller.id, event.service?.uuid)
  const verdict = match(matchedEvent(event), webhook, service)
  return { fires: verdict.deliver, why_not: verdict.deliver ? null : verdict.says }
}

async function matchedService(
  store: RouteDeps['store'],
  accountId: string,
  uuid: string | undefined,
): Promise<MatchedService | null> {
  const service = uuid === undefined ? null : await getService(store, accountId, uuid)
  if (service === null) return null
  return { applicationsEnabled: service.applications_enabled, country: service.country }
}

/** The PBX that the settings are for; null: none in particular, or one that Offhook does not configure. */
async function documentOf(
  { store }: RouteDeps,
  caller: Caller,
  { service_uuid }: PreviewedSettings,
): Promise<PbxDocument | null> {
  return service_uuid === null ? null : await getPbxDocument(store, caller.id, service_uuid)
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
    url: redactUrl(sent.url),
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
  { templates }: RouteDeps,
  accountId: string,
  previewed: Previewed,
): Promise<Pick<Preview, 'request' | 'problems'>> {
  try {
    const request =
      previewed.request.payload.style === 'template'
        ? await templates.preview(accountId, previewed)
        : previewRequest(previewed)
    return { request, problems: [] }
  } catch (error) {
    if (!(error instanceof NotRenderedError)) throw error
    const { message } = error
    return { request: null, problems: [{ field: 'payload', code: 'invalid', message }] }
  }
}

/** A webhook of the account hears of all its PBXs, but of those whose switch is on. */
async function switchHints(
  { store }: RouteDeps,
  accountId: string,
  { service_uuid, triggers }: PreviewedSettings,
): Promise<Preview['hints']> {
  const ofPbx = triggers.some((type) => eventCatalogue[type].scope === 'service')
  if (service_uuid !== null || !ofPbx) return []
  const { names, more } = await servicesSwitchedOff(store, accountId)
  if (names.length === 0) return []
  const listed = [...names, ...(more > 0 ? [`${more} more`] : [])].join(', ')
  return [
    {
      field: 'triggers',
      message: `what happens on ${listed} does not fire it: the Applications switch is off there`,
    },
  ]
}

/** What a template reads is told by the engine that renders it. */
async function payloadHints(
  { templates }: RouteDeps,
  accountId: string,
  { payload }: PreviewedSettings,
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
    const { settings } = result
    const problems = [
      ...result.problems,
      ...(await settingsProblems(deps, caller.id, settings ?? rightFields(body.webhook))),
    ]
    if (settings === null) {
      const event = await eventOf(deps, caller, body, { service_uuid: null, component: null })
      return { event, request: null, fires: null, why_not: null, hints: [], problems }
    }
    const event = await eventOf(deps, caller, body, settings)
    const { hangup_causes: ofAccount } = await getAccountSettings(store.read, caller.id)
    const hangup_causes = mergedCauses(ofAccount, settings.hangup_causes)
    const request = { ...settings, hangup_causes }
    const previewed = { event, url: settings.url, request, version, now: now() }
    const unmade = problems.some(({ field }) => field.startsWith('payload'))
    const made = unmade
      ? { request: null, problems: [] }
      : await requestOr(deps, caller.id, previewed)
    return {
      event,
      request: made.request,
      ...(await verdictOf(deps, caller, event, settings)),
      problems: [...problems, ...made.problems],
      hints: [
        ...previewHints(event, settings),
        ...(await payloadHints(deps, caller.id, settings, event.type)),
        ...(await switchHints(deps, caller.id, settings)),
        ...filterHints(event.type, settings.filters, await documentOf(deps, caller, settings)),
      ],
    }
  })

  serve(serving, api.testWebhook, async ({ caller, params, body }) => {
    const webhook = found(await getWebhook(store, caller.id, params.id))
    const event = await eventOf(deps, caller, body, webhook)
    const sent = await deps.tester.send(caller.id, webhook.id, event)
    if (sent === 'too_many') throw new ProblemError('too_many_tests')
    return testResult(event, found(sent))
  })

  serve(serving, api.listEventFields, async ({ query }) => {
    const wanted = query.triggers === undefined ? null : triggersOf(query.triggers)
    const fields = listEventFields(wanted ?? eventTypes)
    return { items: fields.filter(({ path }) => eventFields.has(path)) }
  })
}
