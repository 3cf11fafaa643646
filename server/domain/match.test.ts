import { expect, test } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { type MatchingWebhook, type MismatchCode, match } from '#server/domain/match.ts'

const service = eventSamples['call.ended'].service.uuid
const webhook: MatchingWebhook = {
  id: 'wh_1',
  serviceUuid: null,
  component: null,
  triggers: new Set<EventType>(['call.ended', 'user.created', 'webhook.disabled']),
  enabled: true,
  disabledReason: null,
}

const because = (
  type: EventType,
  change: Partial<MatchingWebhook> = {},
  applications = true,
): MismatchCode | 'delivered' => {
  const result = match(eventSamples[type], { ...webhook, ...change }, applications)
  return result.deliver ? 'delivered' : result.because
}

test('a webhook of the account gets the events of its triggers', () => {
  expect(because('call.ended')).toBe('delivered')
  expect(because('call.missed')).toBe('trigger')
})

test('a webhook of a service gets those of that service', () => {
  expect(because('call.ended', { serviceUuid: service })).toBe('delivered')
  expect(because('call.ended', { serviceUuid: '00000000-0000-4000-8000-000000000000' })).toBe(
    'other_service',
  )
})

test('the Applications switch rules the triggers of a PBX, not those of the account', () => {
  expect(because('call.ended', {}, false)).toBe('applications_off')
  expect(because('user.created', {}, false)).toBe('delivered')
  expect(because('webhook.disabled', {}, false)).toBe('delivered')
})

test('disabled by a user: no delivery; disabled automatically: one, to be held', () => {
  expect(because('call.ended', { enabled: false, disabledReason: 'by_user' })).toBe(
    'disabled_by_user',
  )
  expect(because('call.ended', { enabled: false, disabledReason: 'gone' })).toBe('delivered')
})

test('a webhook is not told of its own end', () => {
  const { id } = eventSamples['webhook.disabled'].webhook
  expect(because('webhook.disabled', { id, enabled: false, disabledReason: 'gone' })).toBe(
    'about_itself',
  )
})

test('a refusal says why in a sentence', () => {
  expect(match(eventSamples['call.ended'], webhook, false)).toEqual({
    deliver: false,
    because: 'applications_off',
    says: 'The Applications switch of the service is off.',
  })
})

test('a Webhook object of a call flow fires for the calls that pass it, and no other object', () => {
  const type = 'webhook_component_event'
  const { name } = eventSamples[type].component
  const triggers = new Set<EventType>([type])
  expect(because(type, { triggers })).toBe('delivered')
  expect(because(type, { triggers, component: name, serviceUuid: service })).toBe('delivered')
  expect(because(type, { triggers, component: `${name}-2` })).toBe('other_component')
  expect(because('call.ended', { component: name })).toBe('other_component')
})
