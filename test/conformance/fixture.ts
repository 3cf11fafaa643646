import { randomUUID } from 'node:crypto'
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { ServiceDraft } from '#contracts/service.ts'
import type { CreatedWebhook } from '#contracts/webhook/webhook.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import type { NextState } from '#server/domain/next-state.ts'
import { type Acceptance, acceptEvents } from '#server/store/accept.ts'
import { type Account, ensureAccount } from '#server/store/accounts.ts'
import { type Claim, claimDue, type Lease } from '#server/store/claim.ts'
import { type Finish, finishAttempt } from '#server/store/finish.ts'
import { createService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { createWebhook } from '#server/store/webhooks.ts'

/** An account with one PBX whose Applications switch is on. */
export interface Tenant {
  readonly account: Account
  readonly serviceUuid: string
}

export async function makeTenant(store: Store, name = `tenant ${randomUUID()}`): Promise<Tenant> {
  const account = await ensureAccount(store, name, 0)
  const draft = ServiceDraft.parse({
    name: 'pbx1',
    friendly_name: 'Head office',
    applications_enabled: true,
    connection: { kind: 'asterisk_managed' },
  })
  const { uuid } = await createService(store, account.id, draft, 0)
  return { account, serviceUuid: uuid }
}

export async function makeWebhook(
  store: Store,
  { account }: Tenant,
  settings: Partial<WebhookDraft> = {},
): Promise<CreatedWebhook> {
  const draft = WebhookDraft.parse({
    name: 'receiver',
    url: 'http://127.0.0.1:9/',
    triggers: ['call.inbound.received', 'call.ended'],
    ...settings,
  })
  return await createWebhook(store, account.id, draft, 0)
}

/** An event of the call with that name; a sequence above 1 is told by its id. */
export function callEvent({ account, serviceUuid }: Tenant, call: string, sequence = 1): Event {
  const sample = eventSamples['call.inbound.received'] as EventOf<'call.inbound.received'>
  const uuid = namedUuid(serviceUuid, call)
  return {
    ...sample,
    id: `evt_${uuid.replaceAll('-', '')}${sequence}`,
    sequence,
    account: { ...account },
    service: { ...sample.service, uuid: serviceUuid },
    call: { ...sample.call, uuid },
  }
}

export function acceptanceOf(
  { account, serviceUuid }: Tenant,
  events: readonly Event[],
  more: Partial<Acceptance> = {},
): Acceptance {
  return {
    accountId: account.id,
    serviceUuid,
    events,
    openCalls: null,
    cursor: null,
    now: 1_000,
    ...more,
  }
}

export async function accept(
  store: Store,
  tenant: Tenant,
  events: readonly Event[],
  now = 1_000,
): Promise<void> {
  await acceptEvents(store, acceptanceOf(tenant, events, { now }))
}

export async function claim(store: Store, now: number, limit = 100): Promise<Claim> {
  return await claimDue(store, { now, limit, troubledLimit: limit })
}

/** What `finishAttempt` wants for a lease whose receiver gave that status. */
export function finishOf(lease: Lease, statusCode: number, next: NextState, now: number): Finish {
  const ok = statusCode < 300
  return {
    deliverySeq: lease.deliverySeq,
    eventDay: lease.eventDay,
    claimId: lease.claimId,
    webhookId: lease.webhook.id,
    attempt: {
      number: lease.attempts + 1,
      resend: lease.resends,
      startedAt: now,
      method: 'POST',
      url: lease.webhook.url,
      requestHeaders: { 'content-type': 'application/json' },
      requestBody: null,
      earlierRequests: [],
      outcome: {
        ok,
        statusCode,
        error: ok ? null : 'status',
        errorDetail: ok ? null : `The receiver answered ${statusCode}.`,
        responseHeaders: {},
        responseBody: 'answer',
        responseTruncated: false,
        durationMs: 7,
        timings: { dnsMs: null, connectMs: 1, tlsMs: null, firstByteMs: 7 },
        remoteAddress: '127.0.0.1',
        httpVersion: '1.1',
        retryAfter: null,
      },
    },
    next,
    disableAfterMs: 5 * 86_400_000,
    now,
  }
}

export async function succeed(
  store: Store,
  lease: Lease,
  now: number,
  responseBody = 'answer',
): Promise<boolean> {
  const next: NextState = { state: 'delivered', decision: 'Delivered.' }
  const finish = finishOf(lease, 200, next, now)
  const outcome = { ...finish.attempt.outcome, responseBody }
  return await finishAttempt(store, { ...finish, attempt: { ...finish.attempt, outcome } })
}

export async function failUntil(
  store: Store,
  lease: Lease,
  dueAt: number,
  now: number,
): Promise<boolean> {
  const next: NextState = { state: 'pending', dueAt, decision: 'Tried again.', counts: true }
  return await finishAttempt(store, finishOf(lease, 500, next, now))
}

export async function giveUp(
  store: Store,
  lease: Lease,
  disableWebhook: 'gone' | null,
  now: number,
): Promise<boolean> {
  const next: NextState = { state: 'exhausted', decision: 'Given up.', disableWebhook }
  return await finishAttempt(store, finishOf(lease, disableWebhook ? 410 : 500, next, now))
}

export const eventIdsOf = ({ leases }: Claim): readonly string[] => leases.map((l) => l.event.id)
