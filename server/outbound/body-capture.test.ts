import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBodyCapture } from '#server/outbound/body-capture.ts'

test('keeps what fits, however it is cut, and says when there was more', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 300 }),
      (chunks, limit) => {
        const whole = Buffer.concat(chunks)
        const capture = createBodyCapture(limit)
        const complete = chunks.map((chunk) => capture.add(chunk)).every(Boolean)
        expect(complete).toBe(whole.length <= limit)
        if (complete) expect(capture.text()).toBe(new TextDecoder().decode(whole))
        expect(Buffer.byteLength(capture.text(), 'latin1')).toBeLessThanOrEqual(limit)
      },
    ),
  )
})

test('a character that the limit cuts in two is left out, a broken one at the end is shown as such', () => {
  const cut = createBodyCapture(4)
  expect(cut.add(Buffer.from('abc☎d'))).toBe(false)
  expect(cut.text()).toBe('abc')
  const broken = createBodyCapture(4)
  broken.add(Buffer.from([0x61, 0xe2]))
  expect(broken.text()).toBe('a\uFFFD')
})

test('pieces of one byte take no more memory than their sum', () => {
  const capture = createBodyCapture(64 * 1024)
  const one = Buffer.from('x')
  for (let i = 0; i < 64 * 1024; i++) expect(capture.add(one)).toBe(true)
  expect(capture.add(one)).toBe(false)
  expect(capture.text()).toBe('x'.repeat(64 * 1024))
})
