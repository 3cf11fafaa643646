import { expect, test } from 'vitest'
import { etagOf, listsEtag } from '#server/http/etag.ts'

test('the same object has the same tag, another one another', () => {
  expect(etagOf({ a: 1 })).toBe(etagOf({ a: 1 }))
  expect(etagOf({ a: 1 })).not.toBe(etagOf({ a: 2 }))
  expect(etagOf({ a: 1 })).toMatch(/^"[\w-]{22}"$/)
})

test('headers may list several tags, weak ones, or any', () => {
  const etag = etagOf({ a: 1 })
  expect(listsEtag(etag, etag)).toBe(true)
  expect(listsEtag(`"other", W/${etag}`, etag)).toBe(true)
  expect(listsEtag('*', etag)).toBe(true)
  expect(listsEtag('"other"', etag)).toBe(false)
  expect(listsEtag('', etag)).toBe(false)
})
