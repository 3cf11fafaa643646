import { api } from '#contracts/api.ts'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import type { ServiceRef } from '#contracts/events/facts.ts'
import { eventFields } from '#contracts/events/field-names.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { Preview, TestResult } from '#contracts/preview.ts'
import type { FieldError } from '#contracts/problem.ts'
import { type Webhook, WebhookChange, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { sampleEvent } from '#server/domain/events/sample-event.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import { filterHints } from '#server/domain/filter-hints.ts'
import { restoreRequestSecrets } from '#server/domain/hidden-secrets.ts'
import { match, matchedEvent } from '#server/domain/match.ts'
import { type Previewed, previewHints, previewRequest } from '#server/domain/preview.ts'
import { mergedCauses } from '#server/domain/render/hangup-causes.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { isoOf } from '#server/domain/times.ts'
import {
  checkConsistency,
  checkObjectChange,
  settingsAfter,
} from '#server/domain/webhook-settings.ts'
import { asProblem, ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, parsed, type Serving, serve, wrongFields } from '#server/http/serve.ts'
import { settingsProblems } from '#server/http/webhook-checks.ts'
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
type Parsed =
  | { readonly settings: Settings; readonly problems: readonly FieldError[] }
  | { readonly settings: null; readonly problems: readonly FieldError[] }

/** What the store would refuse, each by itself: whoever fills in a form is told all of it. */
function refusals(checks: readonly (() => unknown)[]): FieldError[] {
  return checks.flatMap((check) => {
    try {
      check()
      return []
    } catch (error) {
      const { errors } = asProblem(error)
      if (errors === undefined) throw error
      return errors
    }
  })
}

function parseDraft(given: unknown): Parsed {
  const { value, errors } = parsed(WebhookDraft, given)
  if (errors.length > 0) return { settings: null, problems: errors }
  const settings = value as WebhookDraft
  return { settings, problems: refusals([() => restoreRequestSecrets(requestTo(settings), null)]) }
}

function parseChange(webhook: Webhook, given: unknown): Parsed {
  const { value, errors } = parsed(WebhookChange, given)
  if (errors.length > 0) return { settings: null, problems: errors }
  const change = value as WebhookChange
  const settings = settingsAfter(webhook, change)
  const inconsistent = refusals([() => checkConsistency(settings)])
  const others = refusals([
    () => checkObjectChange(webhook.scope, change),
    // What is stored is masked here: whether a mask stands for something is told all the same.
    () => restoreRequestSecrets(requestTo(settings), requestTo(webhook)),
  ])
  const problems = [...inconsistent, ...others]
  return inconsistent.length > 0 ? { settings: null, problems } : { settings, problems }
}

const requestTo = (settings: Settings) => ({ url: settings.url, request: settings })

/** Those of the fields that are right, taken each by itself. */
function rightFields(given: Readonly<Record<string, unknown>>): WebhookChange {
  const right = Object.entries(WebhookChange.shape).flatMap(([name, schema]) => {
    const result = Object.hasOwn(given, name) ? schema.safeParse(given[name]) : null
    return result?.success ? [[name, result.data]] : []
  })
  return Object.fromEntries(right) as WebhookChange
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
    const { settings } = result
    const problems = [
      ...result.problems,
      ...(await settingsProblems(deps, caller.id, settings ?? rightFields(body.webhook))),
    ]
    if (settings === null) {
      const event = await eventOf(deps, caller, body, null)
      return { event, request: null, fires: null, why_not: null, hints: [], problems }
    }
    const event = await eventOf(deps, caller, body, settings.service_uuid)
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
    const fields = wanted === null ? listEventFields() : listEventFields(wanted)
    return { items: fields.filter(({ path }) => eventFields.has(path)) }
  })
}
