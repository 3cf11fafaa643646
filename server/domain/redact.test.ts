import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  redacted,
  redactHeaders,
  redactorOf,
  redactText,
  redactUrl,
  secretsIn,
} from '#server/domain/redact.ts'

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

const shownOf = (secret: string, text: string) => redactText(text, [secret])
const key = 'q83/vJk2/Lm+9w=='
const hard = 's3kr1t"Tok/en+=x'

test.each([
  ['as it is', key, key],
  ['in JSON as PHP writes it', key, String.raw`q83\/vJk2\/Lm+9w==`],
  ['in JSON', hard, String.raw`s3kr1t\"Tok/en+=x`],
  ['in JSON within JSON', hard, String.raw`s3kr1t\\\"Tok\\\/en+=x`],
  ['in JSON with \\u', hard, String.raw`s3kr1t\u0022Tok\u002Fen\u002b=x`],
  ['in JSON, a backslash in it', String.raw`back\slash\x`, String.raw`back\\slash\\x`],
  [
    'in JSON, letters behind a backslash',
    String.raw`back\u0041\user`,
    String.raw`back\\u0041\\user`,
  ],
  ['in JSON, not of ASCII', 'pässwört😀', String.raw`p\u00e4ssw\u00F6rt\ud83d\ude00`],
  ['in a URL', hard, encodeURIComponent(hard)],
  ['in a URL, small letters', hard, encodeURIComponent(hard).toLowerCase()],
  ['in a URL, in part', hard, 's3kr1t%22Tok/en+=x'],
  ['in a URL, twice', hard, encodeURIComponent(encodeURIComponent(hard))],
  ['in a URL, not of ASCII', 'pässwört😀', encodeURIComponent('pässwört😀')],
  ['in a form', 'two words & more', 'two+words+%26+more'],
  ['in a form, percent signs in it', 'abc+/=%25&secret', 'abc%2B%2F%3D%2525%26secret'],
  ['in HTML', `'<sec>&"ret`, '&#39;&lt;sec&gt;&amp;&quot;ret'],
  ['in HTML, by numbers', `'<sec>&"ret`, '&#x27;&#60;sec&gt;&#x26;&quot;ret'],
  ['in base64', hard, 'czNrcjF0IlRvay9lbis9eA=='],
  ['in base64url', '>>>???secret', 'Pj4-Pz8_c2VjcmV0'],
  ['in base64 as PHP writes it in JSON', '>>>???secret', String.raw`Pj4+Pz8\/c2VjcmV0`],
  ['in capitals', key, key.toUpperCase()],
])('a secret is found %s', (_, secret, repeated) => {
  expect(shownOf(secret, `got ${repeated}`)).toBe('got ***')
  expect(shownOf(secret, `{"got":"${repeated}","k%22":"\\/ ä"}`)).toBe(
    String.raw`{"got":"***","k%22":"\/ ä"}`,
  )
})

test.each([
  ['100%ab12cdef', 'ab12cdef', '100%***'],
  [String.raw`C:\u0041abcdef`, '0041abcdef', String.raw`C:\u***`],
  ['%61bc is short', '%61%62%63', '%61bc is short'],
  ['abc', '%61%62%63', 'abc'],
  ['abcde', 'abcde', 'abcde'],
  ['a secret by itself', 'a secret', '*** by itself'],
  ['abcdefghijk', 'defghijk', 'abc***'],
  [String.raw`"abcdef\\"`, 'abcdef\\', String.raw`"***\\"`],
  ['nothing', 'something', 'nothing'],
  ['', 'something', ''],
])('%j, with the secret %j, is shown as %j', (text, secret, shown) => {
  expect(shownOf(secret, text)).toBe(shown)
})

test('secrets that overlap are hidden together', () => {
  expect(redactText('the abcdefghijk.', ['abcdefgh', 'defghijk'])).toBe('the ***.')
})

test.each([
  [{ authorization: 'My Scheme t0ken-alone' }, 't0ken-alone'],
  [{ authorization: 'One Two Three t0ken-alone' }, 't0ken-alone'],
  [{ authorization: 'Bearer several words of it' }, 'several words of it'],
  [{ authorization: 'Token token="abcdefghijk", nonce="def"' }, 'abcdefghijk'],
  [{ authorization: `Basic ${btoa('user:pass:word')}` }, 'pass:word'],
  [{ authorization: `Basic ${btoa('user:pass:word')}` }, btoa('user:pass:word')],
  [{ authorization: `basic ${btoa('key-as-a-name:')}` }, 'key-as-a-name'],
  [{ cookie: 'session=abcdefghijk; other="lmno pqrst"' }, 'abcdefghijk'],
  [{ cookie: 'session=abcdefghijk; other="lmno pqrst"' }, 'lmno pqrst'],
  [{ cookie: 'session=abc,defghijk==; other=1' }, 'abc,defghijk=='],
])('%j is known by %s alone', (headers, part) => {
  const secrets = secretsIn(headers, new Set(Object.keys(headers)))
  expect(redactText(`(${part})`, secrets)).toBe('(***)')
})

test('a text that is cut in the middle of a secret does not show its beginning', () => {
  const { cutText } = redactorOf(['s3cret-value', 'other-secret', hard])
  expect(cutText('it was s3cret-value and s3cret-va')).toBe('it was *** and ***')
  expect(cutText('it was other-')).toBe('it was ***')
  expect(cutText('it was s3cr')).toBe('it was s3cr')
  expect(cutText('it was s3kr1t')).toBe('it was ***')
  for (const cut of ['%', '%2', '%22', '\\', '\\"', '\\u00', '\\u0022', '&', '&quo', '%2522']) {
    expect(cutText(`it was s3kr1t${cut}`)).toBe('it was ***')
  }
  expect(cutText('it was other-%')).toBe('it was ***')
  expect(cutText('nothing')).toBe('nothing')
  expect(redactorOf([]).cutText('nothing')).toBe('nothing')
})

test('what somebody shortened, with an ellipsis, does not show it either', () => {
  const { text } = redactorOf([hard])
  expect(text('to https://crm.example/?q=s3kr1t%22T…; and s3kr1t')).toBe(
    'to https://crm.example/?q=***…; and s3kr1t',
  )
  expect(text('to s3kr1t%2…')).toBe('to ***…')
})

test('any secret is found in any form, and the text around it stays', () => {
  const json = (text: string) => JSON.stringify(text).slice(1, -1)
  const forms: readonly ((text: string) => string)[] = [
    (text) => text,
    json,
    (text) => json(text).replaceAll('/', '\\/'),
    (text) => json(json(text)),
    encodeURIComponent,
    (text) => encodeURIComponent(encodeURIComponent(text)),
    (text) => new URLSearchParams([['', text]]).toString().slice(1),
    (text) => json(encodeURI(text)),
    btoa,
  ]
  const character = fc.constantFrom(...'aAbu0259%%%\\\\\\/"+& ;#=_-.~'.split(''))
  fc.assert(
    fc.property(
      fc.string({ unit: character, minLength: 12, maxLength: 24 }),
      fc.constantFrom(...forms),
      (secret, form) => {
        // One that means less than six characters is found as it is only.
        fc.pre(decodable(secret))
        const shown = shownOf(`${secret}z`, `<<${form(`${secret}z`)}>>`)
        expect(shown).toBe('<<***>>')
      },
    ),
    { numRuns: 2_000 },
  )
})

/** A `%41` or `\u0041` of its own may leave too little, and one backslash of several is lost. */
const decodable = (secret: string) => secret.replaceAll(/%..|\\|&[^;]*;/g, '').length >= 6

test('an answer that is made to take long is hidden instead', () => {
  const secrets = Array.from({ length: 1_000 }, (_, i) => `${'a'.repeat(8)}${i}`)
  expect(redactText('a'.repeat(65_536), secrets)).toBe(redacted)
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
