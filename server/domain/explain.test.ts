import { describe, expect, test } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { type ExplainInput, explain } from '#server/domain/explain.ts'

const event = eventSamples['call.ended']
const webhook: ExplainInput['webhook'] = {
  id: 'wh_1',
  serviceUuid: null,
  component: null,
  triggers: new Set<EventType>(['call.ended']),
  filters: null,
  countPickups: false,
  enabled: true,
  disabledReason: null,
  createdAt: 1_000,
  updatedAt: 1_000,
  off: null,
  breakerUntil: null,
  breakerReason: null,
}
const none: ExplainInput = {
  event,
  acceptedAt: 5_000,
  webhook,
  service: { applicationsEnabled: true, country: null, updatedAt: 1_000, off: null },
  delivery: null,
  now: 60_000,
}
const delivery: NonNullable<ExplainInput['delivery']> = {
  state: 'pending',
  heldBecause: null,
  waitedTooLong: false,
  attempts: 0,
  dueAt: 5_000,
  finishedAt: null,
  leaseUntil: null,
  lastAttempt: null,
}
const failed = {
  errorDetail: 'The receiver answered 500.',
  decision: 'Given up: all 4 tries failed.',
}

describe('with a delivery', () => {
  const given = (
    change: Partial<typeof delivery>,
    settings: Partial<ExplainInput['webhook']> = {},
  ) =>
    explain({ ...none, webhook: { ...webhook, ...settings }, delivery: { ...delivery, ...change } })

  test.each([
    [
      { state: 'delivered', attempts: 2, finishedAt: 9_000 },
      'delivered',
      'Try 2, 1970-01-01T00:00:09.000Z.',
    ],
    [
      { state: 'exhausted', finishedAt: 9_000, waitedTooLong: true, lastAttempt: failed },
      'waited_too_long',
      'At 1970-01-01T00:00:09.000Z.',
    ],
    [
      { state: 'leased', attempts: 1, leaseUntil: 90_000 },
      'leased',
      'Try 2. Should that process have died, it is sent again after 1970-01-01T00:01:30.000Z at the latest.',
    ],
    [
      { state: 'leased', leaseUntil: 50_000 },
      'leased',
      'Try 1. That process had it until 1970-01-01T00:00:50.000Z: it is about to be sent again.',
    ],
    [{ dueAt: 90_000 }, 'waiting_delay', 'It is due at 1970-01-01T00:01:30.000Z.'],
    [
      { dueAt: 90_000, attempts: 1, lastAttempt: failed },
      'waiting_retry',
      'The receiver answered 500. The next one is due at 1970-01-01T00:01:30.000Z.',
    ],
    [{}, 'waiting_in_line', 'earlier event'],
    [
      { state: 'exhausted', lastAttempt: failed },
      'exhausted',
      'The receiver answered 500. Given up',
    ],
    [{ state: 'exhausted' }, 'exhausted', 'It was given up after its last try.'],
    [{ state: 'cancelled', finishedAt: 9_000 }, 'cancelled', '1970-01-01T00:00:09.000Z'],
  ] as const)('%j is %s', (change, code, says) => {
    const said = given(change)
    expect(said).toMatchObject({ code, byPresentSettings: false })
    expect(said.says).toContain(says)
  })

  test('given up is said once', () => {
    const decision = 'Given up: the webhook has no retries.'
    const said = given({ state: 'exhausted', lastAttempt: { ...failed, decision } })
    expect(said.says).toBe('The receiver answered 500. Given up: the webhook has no retries.')
  })

  test('held tells why the webhook is disabled', () => {
    const gone = given(
      { state: 'held', heldBecause: 'webhook_disabled' },
      { enabled: false, disabledReason: 'gone' },
    )
    expect(gone.code).toBe('held')
    expect(gone.says).toContain('it is gone')
  })

  test('held by the breaker tells why and until when', () => {
    const open = { breakerUntil: 70_000, breakerReason: 'It failed 5 times in a row.' }
    expect(given({ state: 'held', heldBecause: 'breaker_open' }, open)).toMatchObject({
      code: 'waiting_breaker',
      says: expect.stringMatching(/It failed 5 times in a row\. .*1970-01-01T00:01:10\.000Z/),
    })
  })

  test('held by an earlier event of the call says what would let it go', () => {
    const blocked = given({ state: 'held', heldBecause: 'earlier_event_failed' })
    expect(blocked.code).toBe('waiting_earlier_event')
    expect(blocked.says).toContain('resends or cancels')
  })

  test('what a switch says now does not matter', () => {
    const off = explain({ ...none, service: null, delivery: { ...delivery, state: 'delivered' } })
    expect(off.code).toBe('delivered')
  })
})

describe('without a delivery', () => {
  const given = (
    settings: Partial<ExplainInput['webhook']>,
    service: Partial<NonNullable<ExplainInput['service']>> = {},
  ) =>
    explain({
      ...none,
      webhook: { ...webhook, ...settings },
      service: {
        applicationsEnabled: true,
        country: null,
        updatedAt: 1_000,
        off: null,
        ...service,
      },
    })

  test('the switch or filter that stopped it is named, for certain while nothing has changed', () => {
    const code = (...args: Parameters<typeof given>) => {
      const said = given(...args)
      expect(said.byPresentSettings).toBe(false)
      return said.code
    }
    expect(code({ triggers: new Set() })).toBe('trigger')
    expect(code({ serviceUuid: '00000000-0000-4000-8000-000000000000' })).toBe('other_service')
    expect(code({}, { applicationsEnabled: false })).toBe('applications_off')
    expect(code({ enabled: false, disabledReason: 'by_user' })).toBe('disabled_by_user')
    expect(code({ createdAt: 5_001 })).toBe('webhook_newer')
    expect(code({})).toBe('removed')
  })

  test('after a change of webhook or service the verdict is by the settings of now, and says so', () => {
    expect(given({ triggers: new Set(), updatedAt: 6_000 })).toMatchObject({
      code: 'trigger',
      byPresentSettings: true,
      says: expect.stringContaining('1970-01-01T00:00:06.000Z'),
    })
    expect(given({}, { applicationsEnabled: false, updatedAt: 7_000 })).toMatchObject({
      code: 'applications_off',
      byPresentSettings: true,
    })
    expect(given({ updatedAt: 6_000 })).toMatchObject({
      code: 'settings_changed',
      byPresentSettings: true,
    })
  })

  test('what was off then and is on again is named, with since when, whatever was changed meanwhile', () => {
    const off = { since: 4_000, until: 7_000 }
    const changed = { updatedAt: 9_000 }
    expect(given(changed, { off, updatedAt: 7_000 })).toEqual({
      code: 'applications_off',
      says: 'The Applications switch of the service was off. It is on again since 1970-01-01T00:00:07.000Z; replay-missing sends what was missed.',
      byPresentSettings: false,
    })
    expect(given({ off, ...changed })).toMatchObject({
      code: 'disabled_by_user',
      says: expect.stringContaining('on again since 1970-01-01T00:00:07.000Z'),
      byPresentSettings: false,
    })
    const accountOnly = { ...none, event: eventSamples['user.created'] }
    const triggers = new Set<EventType>(['user.created'])
    const service = { applicationsEnabled: true, country: null, updatedAt: 1_000, off }
    // Of the account: no switch of a PBX stopped it.
    expect(explain({ ...accountOnly, service, webhook: { ...webhook, triggers } }).code).toBe(
      'removed',
    )
  })

  test.each([
    ['before', { since: 1_000, until: 5_000 }],
    ['after', { since: 5_001, until: 7_000 }],
  ])('what was off %s the event is not blamed', (_, off) => {
    expect(given({ off }, { off }).code).toBe('removed')
  })

  test('a change of the service says nothing about a trigger that the webhook does not have', () => {
    expect(given({ triggers: new Set() }, { updatedAt: 7_000 })).toMatchObject({
      code: 'trigger',
      byPresentSettings: false,
    })
  })

  test('the service of the event is gone: its triggers fire nothing', () => {
    expect(explain({ ...none, service: null }).code).toBe('service_gone')
  })
})
