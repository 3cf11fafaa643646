import { expect, test } from 'vitest'
import { DeliveryId, WebhookId } from '#contracts/ids.ts'
import { idOfNumber, newId, numberOfId } from '#server/store/new-id.ts'

test('ids have the form that the contract asks for', () => {
  expect(WebhookId.safeParse(newId('webhook')).success).toBe(true)
  expect(newId('webhook')).not.toBe(newId('webhook'))
  for (const number of [1, 31, 32, 123_456_789, Number.MAX_SAFE_INTEGER]) {
    const id = idOfNumber('delivery', number)
    expect(DeliveryId.safeParse(id).success).toBe(true)
    expect(numberOfId('delivery', id)).toBe(number)
  }
})

test.each([
  'dlv_',
  'dlv_1',
  'dlv_000000000!',
  'att_0000000001',
  'dlv_0000000001x',
  'dlv_000000000a',
  `dlv_${'V'.repeat(64)}`,
  '',
])('%j names no delivery', (id) => {
  expect(numberOfId('delivery', id)).toBeNull()
})
