import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { secretBox } from '#server/store/secrets.ts'

const box = secretBox(randomBytes(32))

test('what was sealed opens, and looks different each time', () => {
  const sealed = box.seal('open sesame ☎', 'webhook wh_1')
  expect(box.open(sealed, 'webhook wh_1')).toBe('open sesame ☎')
  expect(sealed).not.toBe(box.seal('open sesame ☎', 'webhook wh_1'))
  expect(sealed).not.toContain('sesame')
})

test('nothing opens that was moved, changed, cut, sealed with another key, or never sealed', () => {
  const sealed = box.seal('secret', 'webhook wh_1')
  const changed = sealed.slice(0, -2) + (sealed.endsWith('AA') ? 'BB' : 'AA')
  const attempts: [string, string][] = [
    [sealed, 'webhook wh_2'],
    [changed, 'webhook wh_1'],
    [sealed.slice(0, 20), 'webhook wh_1'],
    [secretBox(randomBytes(32)).seal('secret', 'webhook wh_1'), 'webhook wh_1'],
    ['secret', 'webhook wh_1'],
    ['', 'webhook wh_1'],
  ]
  for (const [text, about] of attempts) {
    expect(() => box.open(text, about)).toThrow(
      expect.objectContaining({ code: 'secret_key_wrong' }),
    )
  }
})
