/** The bytes of a request hold the headers that were asked for and no others, whatever callers are called. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { CustomHeaders } from '#contracts/webhook/headers.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { ok, peer, sending, within } from '#test/support/sending.ts'

const ended = eventSamples['call.ended']
const eventFrom = (name: string) => ({
  ...ended,
  call: { ...ended.call, source: { ...ended.call.source, name, raw: name } },
})

/** Printable ASCII with breaks of all kinds, and now and then anything at all. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '\0',
        '\u2028',
        'X-Evil: 1',
        ': ',
        '%0d%0a',
        'é',
        '\ud800',
        ' ',
        '\t',
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
)
const text = fc.oneof(
  nasty,
  fc.constantFrom('{{ caller_name }}', 'a {{ src }}', '{{ call.source.name }} {{ Call UUID }}', ''),
)
const name = fc.oneof(
  fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/),
  fc.constantFrom(
    'Cookie',
    'Date',
    'cookie',
    'Accept',
    'X-A',
    'x-a',
    'Host',
    'Content-Length',
    'TE',
    '__proto__',
    'constructor',
  ),
  nasty,
)
const header = fc.record({ name, value: text, secret: fc.boolean() })

test('whatever is asked for and whoever calls', { timeout: 60_000 }, async () => {
  await using server = await peer({ asked: (socket) => void socket.write(ok) })
  await using sender = sending()
  let taken = 0
  await fc.assert(
    fc.asyncProperty(fc.array(header, { maxLength: 6 }), nasty, async (asked, caller) => {
      // Each by itself, so that one that is refused does not take the others with it.
      const usable = asked.filter((one) => CustomHeaders.safeParse([one]).success)
      const parsed = CustomHeaders.safeParse(usable)
      if (!parsed.success) return
      const headers = parsed.data
      taken += headers.length
      const request = prepareRequests(server.url, { ...plainRequest, headers }, '0').render(
        nativeBody(eventFrom(caller)),
      )
      const before = server.received().length
      expect(await sender.attempt(request, within)).toMatchObject({ ok: true })
      const came = server.received().slice(before)
      const [head = '', body] = came.split('\r\n\r\n', 2)
      const [first, ...lines] = head.split('\r\n')
      expect(first).toBe('POST /hook HTTP/1.1')
      expect(head).toMatch(/^[\x20-\x7e\r\n]*$/)
      const names = lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
      const own = headers.map((one) => one.name.toLowerCase())
      const always = ['host', 'connection', 'content-type', 'user-agent', 'content-length']
      expect(names.toSorted()).toEqual([...new Set([...always, ...own])].toSorted())
      expect(lines.join('').split('\r')).toHaveLength(1)
      expect(lines.join('').split('\n')).toHaveLength(1)
      expect(body).toBe(request.body)
    }),
    { numRuns: 300 },
  )
  expect(taken).toBeGreaterThan(100)
})

test('fifty headers arrive; more, or more than 8 KiB, are refused', async () => {
  await using server = await peer({ asked: (socket) => void socket.write(ok) })
  await using sender = sending()
  const many = (count: number, length: number) =>
    Array.from({ length: count }, (_, i) => ({ name: `X-${i}`, value: 'v'.repeat(length) }))
  const headers = CustomHeaders.parse(many(50, 150))
  const request = prepareRequests(server.url, { ...plainRequest, headers }, '0').render(
    nativeBody(ended),
  )
  expect(await sender.attempt(request, within)).toMatchObject({ ok: true })
  expect(server.received().match(/^x-\d+: v{150}\r$/gm)).toHaveLength(50)
  expect(CustomHeaders.safeParse(many(51, 1)).success).toBe(false)
  expect(CustomHeaders.safeParse(many(3, 3000)).error?.issues).toMatchObject([
    { path: [], message: expect.stringMatching(/^must have 8192 characters at most/) },
  ])
})

test('values of an event that no server would take make no request', () => {
  const headers = CustomHeaders.parse([{ name: 'X-Caller', value: '{{ caller_name }}' }])
  const { render } = prepareRequests('http://127.0.0.1/', { ...plainRequest, headers }, '0')
  expect(() => render(nativeBody(eventFrom('é'.repeat(3000))))).toThrow(
    /headers have \d+ bytes, 16384 at most are sent/,
  )
})
