import { expect, test } from 'vitest'
import { nearestName } from '#contracts/nearest-name.ts'

const names = ['OFFHOOK_DATA', 'OFFHOOK_PORT', 'OFFHOOK_DATABASE', 'OFFHOOK_HOST']

test.each([
  ['OFFHOOK_PROT', 'OFFHOOK_PORT'],
  ['OFFHOOK_DATABSE', 'OFFHOOK_DATABASE'],
  ['offhook_data', 'OFFHOOK_DATA'],
  ['OFFHOOK_HOTS', 'OFFHOOK_HOST'],
])('%s is most likely %s', (wrong, meant) => {
  expect(nearestName(wrong, names)).toBe(meant)
})

test('nothing is near a name that has little in common', () => {
  expect(nearestName('colour', ['url', 'name', 'triggers'])).toBeNull()
  expect(nearestName('x'.repeat(5000), names)).toBeNull()
  expect(nearestName('anything', [])).toBeNull()
})
