import fc from 'fast-check'
import { expect, test } from 'vitest'
import { redactCutText, redacted, redactHeaders, redactUrl } from '#server/domain/redact.ts'

test('credentials in headers are replaced, the rest stays', () => {
  expect(
    redactHeaders({
      Authorization: 'Basic dXNlcjpwYXNz',
      'proxy-authorization': 'Bearer x',
      Cookie: 'sid=1',
      'set-cookie': 'sid=2',
      'X-Pbx-Token': 'abc',
      'x-api-key': 'abc',
      'X-My-Secret': 'abc',
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE',
      'www-authenticate': 'Bearer realm="crm"',
      'content-type': 'application/json',
    }),
  ).toEqual({
    Authorization: redacted,
    'proxy-authorization': redacted,
    Cookie: redacted,
    'set-cookie': redacted,
    'X-Pbx-Token': redacted,
    'x-api-key': redacted,
    'X-My-Secret': redacted,
    'webhook-id': 'evt_1',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE',
    'www-authenticate': 'Bearer realm="crm"',
    'content-type': 'application/json',
  })
})

test.each([
  ['https://crm.example/hooks?tenant=7&q=a+b', 'https://crm.example/hooks?tenant=7&q=a+b'],
  ['https://crm.example/hooks?token=abc&tenant=7', 'https://crm.example/hooks?token=***&tenant=7'],
  ['https://crm.example/?API_KEY=1&api_key=2', 'https://crm.example/?API_KEY=***&api_key=***'],
  ['https://crm.example/?secret=1&secret=2', 'https://crm.example/?secret=***'],
  ['https://user:pass@crm.example/', 'https://crm.example/'],
  ['not a url with password=1', '***'],
  ['', '***'],
])('%s is logged as %s', (url, logged) => {
  expect(redactUrl(url)).toBe(logged)
})

test('a text that is cut in the middle of a secret does not show its beginning', () => {
  const secrets = ['s3cret-value', 'other-secret']
  expect(redactCutText('it was s3cret-value and s3cret-va', secrets)).toBe('it was *** and ***')
  expect(redactCutText('it was other-', secrets)).toBe('it was ***')
  expect(redactCutText('it was s3cr', secrets)).toBe('it was s3cr')
  expect(redactCutText('nothing', secrets)).toBe('nothing')
  expect(redactCutText('nothing', [])).toBe('nothing')
})

test('any header names and any URL can be redacted', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (headers, text) => {
      expect(Object.keys(redactHeaders(headers))).toEqual(Object.keys(headers))
      expect(typeof redactUrl(text)).toBe('string')
    }),
  )
})

test('whatever the secret, the log does not have it', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.webUrl(), (secret, url) => {
      const shown = redactUrl(`${url}?access_token=${secret}`)
      expect(shown).not.toContain(secret)
      expect(Object.values(redactHeaders({ 'x-auth': secret }))).toEqual([redacted])
    }),
  )
})
