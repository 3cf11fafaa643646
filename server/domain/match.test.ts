import { expect, test } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { noFilters } from '#contracts/webhook/filters.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import {
  type MatchingWebhook,
  type MismatchCode,
  match,
  matchedEvent,
} from '#server/domain/match.ts'

const service = eventSamples['call.ended'].service.uuid
const webhook: MatchingWebhook = {
  id: 'wh_1',
  serviceUuid: null,
  component: null,
  triggers: new Set<EventType>(['call.ended', 'user.created', 'webhook.disabled']),
  filters: null,
  countPickups: false,
  enabled: true,
  disabledReason: null,
}

const because = (
  type: EventType,
  change: Partial<MatchingWebhook> = {},
  applications = true,
): MismatchCode | 'delivered' => {
  const service = { applicationsEnabled: applications, country: null }
  const result = match(matchedEvent(eventSamples[type]), { ...webhook, ...change }, service)
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

test('the Applications switch rules the triggers of a PBX, and all of a webhook of that PBX', () => {
  expect(because('call.ended', {}, false)).toBe('applications_off')
  expect(because('user.created', { serviceUuid: service }, false)).toBe('applications_off')
  expect(because('user.created', { serviceUuid: service }, true)).toBe('delivered')
})

test('the switch does not rule what happens to users and webhooks of the account', () => {
  expect(because('user.created', {}, false)).toBe('delivered')
  expect(because('webhook.disabled', {}, false)).toBe('delivered')
})

test('a service that was deleted has no switch: users that went with it are told to the account', () => {
  const gone = (type: EventType) => match(matchedEvent(eventSamples[type]), webhook, null)
  expect(gone('call.ended')).toMatchObject({ because: 'service_gone' })
  expect(gone('user.created')).toEqual({ deliver: true })
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
  const service = { applicationsEnabled: false, country: null }
  expect(match(matchedEvent(eventSamples['call.ended']), webhook, service)).toEqual({
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

test('an answer by pick-up fires those that count it', () => {
  const sample = eventSamples['call.inbound.answered']
  const event = matchedEvent({ ...sample, call: { ...sample.call, via: 'pickup' } })
  const service = { applicationsEnabled: true, country: null }
  const triggers = new Set<EventType>(['call.inbound.answered'])
  expect(match(event, { ...webhook, triggers }, service)).toMatchObject({ because: 'picked_up' })
  expect(match(event, { ...webhook, triggers, countPickups: true }, service).deliver).toBe(true)
})

test('filters come last and say themselves what they stop', () => {
  const filters = prepareFilters({ ...noFilters, queues: ['nobody'] })
  expect(because('call.ended', { filters })).toBe('filtered')
  expect(because('call.ended', { filters }, false)).toBe('applications_off')
})

test('an event is looked at whole only where filters need it', () => {
  const event = {
    ...matchedEvent(eventSamples['call.ended']),
    whole: () => {
      throw new Error('nobody needs it')
    },
  }
  expect(match(event, webhook, { applicationsEnabled: true, country: null }).deliver).toBe(true)
})
