import { createHash } from 'node:crypto'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WebhookSecret } from '#contracts/webhook/webhook.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'

const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const seconds = 1_614_265_330
const at = seconds * 1000
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const oldSecret = 'whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'
const body = '{"test": 2432232314}'
const current = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
const old = 'v1,FBLAo+HK5p2knCUgA8qP2rAcQBKsRjSyHR9ZWinL1ZE='

const signatureOf = (content: Parameters<typeof signatureHeaders>[0], ...secrets: string[]) =>
  signatureHeaders(content, secrets)['webhook-signature']

describe('the vectors of Standard Webhooks', () => {
  test('headers', () => {
    expect(signatureHeaders({ id, at: at + 999, body }, [secret])).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': current,
    })
  })

  test.each([
    ['the official one', body, current],
    ['an empty body', '', 'v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A='],
    ['UTF-8', '{"caller":"Zoë ☎"}', 'v1,cVhbB1JH5ZzzAffsuhgNLTk+8CX19kxuK2BFWB+DzEo='],
    ['a newline at the end', '{"a":1}\n', 'v1,gHpkzUwAcTCAx6mVTdVP1Xcvw5OF91BO8CGnDfdstVo='],
    [
      'bytes that are no UTF-8',
      Uint8Array.of(0x00, 0xff, 0xfe, 0x0a),
      'v1,k3HB/6Q6Jaq6+OrOBEsAB98BAuJZAFyjE13Cl+B8UgU=',
    ],
  ])('%s', (_, content, expected) => {
    expect(signatureOf({ id, at, body: content }, secret)).toBe(expected)
  })

  test('that of the official Rust library', () => {
    const content = {
      id: 'msg_27UH4WbU6Z5A5EzD8u03UvzRbpk',
      at: 1_649_367_553_000,
      body: '{"email":"test@example.com","username":"test_user"}',
    }
    expect(signatureOf(content, 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD')).toBe(
      'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=',
    )
  })

  test('rotation: the current secret first, then the old one', () => {
    expect(signatureOf({ id, at, body: '{"test": 2432232314}' }, secret, oldSecret)).toBe(
      `${current} ${old}`,
    )
  })
})

describe('what receivers do with them', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: at, toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  type Headers = Record<string, string>
  /** Each verifier answers whether it takes the request, as of the clock of the test. */
  const verifiers: [string, (headers: Headers, text: string, key: string) => boolean][] = [
    [
      'standardwebhooks',
      (headers, text, key) => takes(() => new StandardWebhook(key).verify(text, headers)),
    ],
    ['svix', (headers, text, key) => takes(() => new SvixWebhook(key).verify(text, headers))],
  ]
  function takes(verify: () => unknown): boolean {
    try {
      verify()
      return true
    } catch {
      return false
    }
  }
  const signed = (): Headers => ({ ...signatureHeaders({ id, at, body }, [secret]) })
  const without = (name: string) => {
    const { [name]: _, ...rest } = signed()
    return rest
  }

  describe.each(verifiers)('%s', (_, verify) => {
    test.each([
      ['the current secret', signed(), secret],
      ['the secret without its prefix', signed(), secret.slice('whsec_'.length)],
      [
        'either secret during a rotation',
        { ...signatureHeaders({ id, at, body }, [secret, oldSecret]) },
        oldSecret,
      ],
      [
        'a list with other versions',
        {
          ...signed(),
          'webhook-signature': `v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= ${current}`,
        },
        secret,
      ],
    ])('takes %s', (_name, headers, key) => {
      expect(verify(headers, body, key)).toBe(true)
    })

    test.each([
      ['no id', without('webhook-id')],
      ['no timestamp', without('webhook-timestamp')],
      ['no signature', without('webhook-signature')],
      ['a timestamp that is no number', { ...signed(), 'webhook-timestamp': 'hello' }],
      ['another id', { ...signed(), 'webhook-id': 'msg_other' }],
      ['another timestamp', { ...signed(), 'webhook-timestamp': String(seconds + 1) }],
      ['a truncated signature', { ...signed(), 'webhook-signature': current.slice(0, -8) }],
      ['an empty signature', { ...signed(), 'webhook-signature': 'v1,' }],
      [
        'a decoy',
        { ...signed(), 'webhook-signature': 'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=' },
      ],
      [
        'our signature as another version',
        { ...signed(), 'webhook-signature': `v2,${current.slice(3)}` },
      ],
      [
        'a signature of 5 min 1 s ago',
        { ...signatureHeaders({ id, at: at - 301_000, body }, [secret]) },
      ],
      [
        'a signature of 5 min 1 s ahead',
        { ...signatureHeaders({ id, at: at + 301_000, body }, [secret]) },
      ],
    ])('refuses %s', (_name, headers) => {
      expect(verify(headers, body, secret)).toBe(false)
    })

    test('refuses another body, another secret, and an empty one', () => {
      expect(verify(signed(), `${body} `, secret)).toBe(false)
      expect(verify(signed(), body, oldSecret)).toBe(false)
      expect(verify(signed(), body, 'whsec_')).toBe(false)
    })
  })
})

describe('secrets', () => {
  test.each([24, 32, 64])('of %i random bytes are what the API takes', (length) => {
    const random = createHash('shake256', { outputLength: length }).update('x').digest()
    const made = newSecret(random)
    expect(WebhookSecret.parse(made)).toBe(made)
    expect(Buffer.from(made.slice('whsec_'.length), 'base64')).toEqual(random)
  })

  test.each([0, 23, 65])('are not made of %i bytes', (length) => {
    expect(() => newSecret(new Uint8Array(length))).toThrow(RangeError)
  })

  test.each(['', 'whsec_', 'whsec_not base64!', 'whsk_AAAA'])(
    'that are none (%j) sign nothing, and the error does not show them',
    (wrong) => {
      const attempt = () => signatureHeaders({ id, at, body }, [wrong])
      expect(attempt).toThrow()
      expect(attempt).not.toThrow(/not base64!/)
    },
  )
})
