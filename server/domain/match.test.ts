import { describe, expect, test } from 'vitest'
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { type MatchingWebhook, match } from '#server/domain/match.ts'

const service = eventSamples['call.ended'].service.uuid
const otherService = '00000000-0000-5000-8000-000000000000'

const webhook = (change: Partial<MatchingWebhook> = {}): MatchingWebhook => ({
  id: 'wh_1',
  serviceUuid: null,
  triggers: new Set(eventTypes),
  enabled: true,
  disabledReason: null,
  ...change,
})

const serviceTypes = eventTypes.filter((type) => eventCatalogue[type].scope === 'service')
const accountTypes = eventTypes.filter((type) => eventCatalogue[type].scope === 'account')

const because = (type: EventType, change?: Partial<MatchingWebhook>, applications = true) => {
  const answer = match(eventSamples[type], webhook(change), applications)
  if (answer.deliver) return null
  expect(answer.says).toMatch(/^The .+\.$/)
  return answer.because
}

test.each(eventTypes)('%s fires a webhook that has it as trigger, and no other', (type) => {
  expect(because(type)).toBeNull()
  expect(because(type, { triggers: new Set([type]) })).toBeNull()
  const others = new Set(eventTypes.filter((other) => other !== type))
  expect(because(type, { triggers: others })).toBe('trigger')
})

describe('the service', () => {
  test('of the webhook must be that of the event', () => {
    expect(because('call.ended', { serviceUuid: service })).toBeNull()
    expect(because('call.ended', { serviceUuid: otherService })).toBe('other_service')
    expect(because('user.created', { serviceUuid: otherService })).toBe('other_service')
  })

  test('of a webhook is not that of an event without one', () => {
    const event = { ...eventSamples['webhook.disabled'], service: null }
    expect(match(event, webhook(), false).deliver).toBe(true)
    expect(match(event, webhook({ serviceUuid: service }), true)).toMatchObject({
      because: 'other_service',
    })
  })
})

describe('the Applications switch', () => {
  test.each(serviceTypes)('off: %s fires nothing', (type) => {
    expect(because(type, {}, false)).toBe('applications_off')
  })

  test.each(accountTypes)('off: %s fires all the same', (type) => {
    expect(because(type, {}, false)).toBeNull()
  })

  test('rules everything of the PBX and nothing of the account', () => {
    expect(accountTypes).toEqual([
      'user.created',
      'user.modified',
      'user.deleted',
      'webhook.disabled',
    ])
  })
})

describe('a webhook that is off', () => {
  test('by a user: nothing fires it', () => {
    const off = { enabled: false, disabledReason: 'by_user' } as const
    expect(because('call.ended', off)).toBe('disabled_by_user')
  })

  test.each(['gone', 'failing'] as const)('because it was %s: deliveries wait for it', (reason) => {
    expect(because('call.ended', { enabled: false, disabledReason: reason })).toBeNull()
  })

  test('is not told that it was disabled itself; others are', () => {
    const { id } = eventSamples['webhook.disabled'].webhook
    expect(because('webhook.disabled', { id })).toBe('about_itself')
    expect(because('webhook.disabled')).toBeNull()
  })
})
