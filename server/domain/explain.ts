import type { DeliveryState, HeldBecause } from '#contracts/delivery.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import { type VerdictCode, verdicts } from '#contracts/explain.ts'
import {
  type MatchedService,
  type MatchingWebhook,
  match,
  matchedEvent,
} from '#server/domain/match.ts'

/** A delivery as far as its verdict needs it; times in epoch milliseconds. */
export interface ExplainedDelivery {
  readonly state: DeliveryState
  readonly heldBecause: HeldBecause | null
  /** Given up without a last try: it could not be sent for as long as things are kept. */
  readonly waitedTooLong: boolean
  readonly attempts: number
  readonly dueAt: number
  readonly finishedAt: number | null
  /** Until when a process has it; null: none has. */
  readonly leaseUntil: number | null
  /** What the last attempt failed with, and what was decided after it; null: there is none, or it is not kept. */
  readonly lastAttempt: {
    readonly errorDetail: string | null
    readonly decision: string
  } | null
}

/** The last time for which somebody had switched something off; times in epoch milliseconds. */
export interface Off {
  readonly since: number
  /** Null: it still is. */
  readonly until: number | null
}

/** All that is known of one event and one webhook of its account; times in epoch milliseconds. */
export interface ExplainInput {
  readonly event: Event
  /** When the event was compared with the webhooks. */
  readonly acceptedAt: number
  readonly webhook: MatchingWebhook & {
    readonly createdAt: number
    readonly updatedAt: number
    /** By a user; null: never. */
    readonly off: Off | null
    /** When the circuit breaker lets the next try through; null: it is closed. */
    readonly breakerUntil: number | null
    readonly breakerReason: string | null
  }
  /** Null: an event of the account, or of a service that is gone. */
  readonly service:
    | (MatchedService & {
        readonly updatedAt: number
        /** Its Applications switch; null: never. */
        readonly off: Off | null
      })
    | null
  readonly delivery: ExplainedDelivery | null
  readonly now: number
}

export interface Explanation {
  readonly code: VerdictCode
  /** One or two sentences for a person. */
  readonly says: string
  /** The verdict is by the settings of now, which are not those of then. */
  readonly byPresentSettings: boolean
}

/** Why the event reached the webhook, did not yet, or did not. */
export function explain(input: ExplainInput): Explanation {
  const { delivery } = input
  if (delivery === null) return explainNone(input)
  return { ...explainDelivery(delivery, input), byPresentSettings: false }
}

type Reason = Pick<Explanation, 'code' | 'says'>

const because = (code: VerdictCode, more = ''): Reason => ({
  code,
  says: more === '' ? verdicts[code] : `${verdicts[code]} ${more}`,
})

const iso = (at: number) => new Date(at).toISOString()

function explainDelivery(delivery: ExplainedDelivery, { webhook, now }: ExplainInput): Reason {
  const { state, attempts, dueAt, finishedAt, lastAttempt } = delivery
  switch (state) {
    case 'delivered': {
      const at = finishedAt === null ? '' : `, ${iso(finishedAt)}`
      return because('delivered', `Try ${attempts}${at}.`)
    }
    case 'leased':
      return because('leased', leasedWords(delivery, now))
    case 'exhausted':
      return delivery.waitedTooLong
        ? because('waited_too_long', finishedAt === null ? '' : `At ${iso(finishedAt)}.`)
        : exhaustedWords(lastAttempt)
    case 'cancelled':
      return because('cancelled', finishedAt === null ? '' : `At ${iso(finishedAt)}.`)
    case 'held':
      return explainHeld(delivery, webhook)
    case 'pending': {
      if (dueAt <= now) return because('waiting_in_line')
      const due = `due at ${iso(dueAt)}.`
      if (attempts === 0) return because('waiting_delay', `It is ${due}`)
      return because(
        'waiting_retry',
        `${lastAttempt?.errorDetail ?? ''} The next one is ${due}`.trim(),
      )
    }
  }
}

function explainHeld({ heldBecause }: ExplainedDelivery, webhook: ExplainInput['webhook']): Reason {
  switch (heldBecause) {
    case 'breaker_open': {
      const { breakerUntil, breakerReason } = webhook
      const next = breakerUntil === null ? '' : `The next try is at ${iso(breakerUntil)}.`
      return because('waiting_breaker', [breakerReason ?? '', next].join(' ').trim())
    }
    case 'earlier_event_failed':
      return because('waiting_earlier_event')
    default:
      return because('held', disabledBecause(webhook.disabledReason))
  }
}

/** A process that died leaves its leases behind: they are returned at the next start, by another node, or at their end. */
function leasedWords({ attempts, leaseUntil }: ExplainedDelivery, now: number): string {
  const tried = `Try ${attempts + 1}.`
  if (leaseUntil === null) return tried
  return leaseUntil > now
    ? `${tried} Should that process have died, it is sent again after ${iso(leaseUntil)} at the latest.`
    : `${tried} That process had it until ${iso(leaseUntil)}: it is about to be sent again.`
}

/** The decision says itself that it was given up, and why. */
function exhaustedWords(last: ExplainedDelivery['lastAttempt']): Reason {
  if (last === null) return because('exhausted')
  const { errorDetail, decision } = last
  const says = errorDetail === null ? decision : `${errorDetail} ${decision}`
  return { code: 'exhausted', says }
}

function disabledBecause(reason: MatchingWebhook['disabledReason']): string {
  switch (reason) {
    case 'by_user':
      return 'A user disabled it.'
    case 'gone':
      return 'It was disabled because its receiver answered that it is gone.'
    case 'failing':
      return 'It was disabled because its receiver did nothing but fail.'
    default:
      return ''
  }
}

/** There is no delivery: what stopped it is found by comparing again, which is certain while nothing has changed. */
function explainNone({ event, acceptedAt, webhook, service }: ExplainInput): Explanation {
  if (webhook.createdAt > acceptedAt) {
    const says = because('webhook_newer', `It was created at ${iso(webhook.createdAt)}.`)
    return { ...says, byPresentSettings: false }
  }
  const wasOff = switchedOffThen({ event, acceptedAt, webhook, service })
  if (wasOff !== null) return { ...wasOff, byPresentSettings: false }
  const verdict = match(matchedEvent(event), webhook, service)
  // Of the service its Applications switch decides, and its country for filters, where it came to that.
  const byService =
    verdict.deliver || verdict.because === 'applications_off' || verdict.because === 'filtered'
  const changedAt = Math.max(webhook.updatedAt, byService ? (service?.updatedAt ?? 0) : 0)
  const changed = changedAt > acceptedAt
  if (verdict.deliver) {
    const reason = changed
      ? because('settings_changed', `The last change was at ${iso(changedAt)}.`)
      : because('removed')
    return { ...reason, byPresentSettings: changed }
  }
  const hint = changed
    ? `By the settings of now: they were changed at ${iso(changedAt)}, after the event.`
    : ''
  const more = verdict.because === 'filtered' ? `${verdict.says} ${hint}`.trim() : hint
  return { ...because(verdict.because, more), byPresentSettings: changed }
}

/** It is on again, and was off when the event happened: whatever else has changed since, that stopped it. */
function switchedOffThen({
  event,
  acceptedAt,
  webhook,
  service,
}: Pick<ExplainInput, 'event' | 'acceptedAt' | 'webhook' | 'service'>): Reason | null {
  const serviceOn = onAgain(service?.off ?? null, acceptedAt)
  const webhookOn = onAgain(webhook.off, acceptedAt)
  const then = match(
    matchedEvent(event),
    webhookOn === null ? webhook : { ...webhook, enabled: false, disabledReason: 'by_user' },
    service !== null && serviceOn !== null ? { ...service, applicationsEnabled: false } : service,
  )
  if (then.deliver) return null
  const { because: why } = then
  const until = why === 'applications_off' ? serviceOn : webhookOn
  if (until === null || (why !== 'applications_off' && why !== 'disabled_by_user')) return null
  return because(why, `It is on again since ${iso(until)}; replay-missing sends what was missed.`)
}

/** When it was switched on after that moment; null: it was not off then, or still is. */
function onAgain(off: Off | null, at: number): number | null {
  if (off === null || off.until === null) return null
  return off.since <= at && at < off.until ? off.until : null
}
