/** The template payload: what it makes, how it escapes, what it refuses, what it cannot do however it is written. */
import { describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { Payload } from '#contracts/webhook/payload.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { templateLimits, templateProblems } from '#server/domain/render/template.ts'

interface More {
  readonly content_type?: string
  readonly partials?: Record<string, string>
}

const payloadOf = (template: string, more: More = {}) => {
  const payload = Payload.parse({ style: 'template', template, ...more })
  if (payload.style !== 'template') throw new Error('not a template')
  return payload
}
const sample = eventSamples['call.ended']
const calledBy = (name: string | null) => ({
  ...sample,
  call: { ...sample.call, source: { ...sample.call.source, name } },
})
const made = (template: string, more: More = {}, event = sample) =>
  prepareRequests(
    'https://crm.example/hook',
    { ...plainRequest, payload: payloadOf(template, more) },
    '1.2.3',
  ).render(nativeBody(event))

const processorMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const nasty = `"},"x":1,\\ <b>&'\u0001\nend{{ call.uuid }}`

describe('makes', () => {
  test('a body of the event, with its content type', () => {
    const request = made(
      '{"id": "{{ call.uuid }}", "s": {{ call.duration | json }}, "q": {{ queue | json }}, "rg": {{ ring_group | json }}{% if call.talker %}, "talked": true{% endif %}}',
    )
    expect(request.headers).toMatchObject({ 'content-type': 'application/json' })
    expect(JSON.parse(request.body)).toEqual({
      id: sample.call.uuid,
      s: sample.call.duration,
      q: { name: 'sales' },
      rg: null,
      talked: true,
    })
  })

  test('one of its partials, and of a list of the event', () => {
    const partials = { leg: '{"who": {{ one.name | json }}}' }
    const text =
      '[{% for leg in legs %}{% render "leg", one: leg %}{% unless forloop.last %},{% endunless %}{% endfor %}]'
    expect(JSON.parse(made(text, { partials }).body)).toEqual(
      sample.legs.map(({ name }) => ({ who: name })),
    )
  })

  test('times in UTC, or in a zone that it names', () => {
    const text = `{{ call.started_at | date: "%H:%M" }} {{ call.started_at | date: "%H:%M", "Australia/Sydney" }}`
    expect(made(text, { content_type: 'text/plain' }).body).toBe('20:14 07:14')
  })

  test('of an event what the event has: nothing is left from one to the next', () => {
    const { render } = prepareRequests(
      'https://crm.example/hook',
      {
        ...plainRequest,
        headers: [{ name: 'X-Call', value: '{{ call.uuid }}', secret: false }],
        payload: payloadOf('{% increment call %}{% assign kept = 1 %}', {
          content_type: 'text/plain',
        }),
      },
      '1.2.3',
    )
    const first = render(nativeBody(sample))
    expect(render(nativeBody(sample))).toEqual(first)
    expect(first.headers['x-call']).toBe(sample.call.uuid)
  })
})

describe('escapes what a caller chose', () => {
  test.each(['application/json', 'application/vnd.crm+json; charset=utf-8'])(
    '%s',
    (content_type) => {
      const request = made('{"who": "{{ call.source.name }}"}', { content_type }, calledBy(nasty))
      expect(JSON.parse(request.body)).toEqual({ who: nasty })
      expect(request.headers['content-type']).toBe(content_type)
    },
  )

  test.each(['text/xml', 'application/soap+xml', 'text/html'])('%s', (content_type) => {
    const { body } = made('<w>{{ call.source.name }}</w>', { content_type }, calledBy(nasty))
    expect(body).toBe('<w>&quot;},&quot;x&quot;:1,\\ &lt;b&gt;&amp;&#39;\nend{{ call.uuid }}</w>')
  })

  test('a whole value stays escaped where the body is XML', () => {
    const { body } = made(
      '<w>{{ call.source.name | json }}</w>',
      { content_type: 'text/xml' },
      calledBy('<b>'),
    )
    expect(body).toBe('<w>&quot;&lt;b&gt;&quot;</w>')
  })

  test('a form', () => {
    const content_type = 'application/x-www-form-urlencoded'
    const { body } = made('who={{ call.source.name }}&x=1', { content_type }, calledBy(nasty))
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({ who: nasty, x: '1' })
  })

  test('plain text is as it is, what is absent is empty', () => {
    const content_type = 'text/plain'
    const text = '[{{ call.source.name }}]'
    expect(made(text, { content_type }, calledBy('a "b" & c')).body).toBe('[a "b" & c]')
    expect(made(text, { content_type }, calledBy(null)).body).toBe('[]')
  })
})

test('JSON that is none is no request, and says where', () => {
  expect(() => made('{"a": {{ ring_group }}}')).toThrow(NotRenderedError)
  expect(() => made('{"a": {{ ring_group }}}')).toThrow(/not JSON: Unexpected token '}', "{"a": }"/)
})

describe('is refused when it is saved', () => {
  const problems = (template: string, partials: Record<string, string> = {}) =>
    templateProblems(payloadOf(template, { partials }))
  const inTemplate = (message: RegExp) => [
    { path: ['payload', 'template'], message: expect.stringMatching(message) },
  ]

  test.each([
    ['a\n  {% fro x in y %}', /^line 2, column 3: tag "fro" not found$/],
    ['{% if a %}', /^line 1, column 1: tag .* not closed$/],
    ['{{ call.uuid | shout }}', /^line 1, column 1: undefined filter: shout$/],
    ['{{ call.uuid', /^line 1, column 1: output .* not closed$/],
    [
      '{% for i in (9007199254740992..9007199254740994) %}{% endfor %}',
      /^line 1, column 1: the ends of a range must be whole numbers up to 1000000$/,
    ],
    ['{% for i in (1..call.duration) %}{% endfor %}', /ends of a range/],
    ['{% assign a = (1..9999999999) | size %}', /ends of a range/],
    ['{% layout "x" %}', /tag "layout" not found/],
    ['{% render "nobody" %}', /^line 1: there is no partial "nobody"$/],
    ['{% include "/etc/passwd" %}', /there is no partial/],
    ['{% include "constructor" %}', /there is no partial/],
    ['a\n{% include call.source.name %}', /^line 2: a partial must be named in quotes/],
    ['{% render "x{{ call.uuid }}" %}', /must be named in quotes/],
    ['{% liquid\n render call.uuid %}', /must be named in quotes/],
    ['{% if true %}'.repeat(3500), /not closed|nested too deeply/],
  ])('%j', (text, message) => {
    expect(problems(text)).toEqual(inTemplate(message))
  })

  test('a partial that is wrong, by its name', () => {
    expect(problems('{% render "a" %}', { a: 'x {% end %}' })).toEqual([
      {
        path: ['payload', 'partials', 'a'],
        message: expect.stringMatching(/^line 1, column 3: tag "end"/),
      },
    ])
  })

  test('a circle of partials, with the way it goes; also where nobody enters it', () => {
    const circle = { a: '{% render "b" %}', b: '\n{% if x %}{% include "a" %}{% endif %}' }
    const told = [
      {
        path: ['payload', 'partials', 'b'],
        message: 'line 2: partials must not render themselves: "a" → "b" → "a"',
      },
    ]
    expect(problems('{% render "a" %}', circle)).toEqual(told)
    expect(problems('nothing', circle)).toEqual(told)
    expect(problems('nothing', { a: '{% render "a" %}' })).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/"a" → "a"/) }),
    ])
  })

  test('but not a partial that is there twice', () => {
    const partials = { a: 'x{% render "c" %}', b: '{% render "c" %}', c: 'y' }
    expect(problems('{% render "a" %}{% render "b" %}{% render "a" %}', partials)).toEqual([])
  })
})

describe('cannot, however it is written,', () => {
  const longText = '{% assign a = "xxxxxxxxxxxxxxxx" %}{% for i in (1..40) %}'
  // A member of the account may be as hostile as a caller.
  test.each([
    [
      'count for ever',
      '{% for i in (1..100) %}{% for j in (1..100) %}{% for k in (1..100) %}{% for l in (1..100) %}{% if l %}{% endif %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}',
    ],
    [
      'loop over nothing',
      '{% for i in (1..5000) %}{% for j in (1..90000) %}{% endfor %}{% endfor %}',
    ],
    [
      'do so in a condition that it puts together',
      '{% assign d = "." %}{% assign r = "(9007199254740992" | append: d | append: d | append: "9007199254740994)" %}{{ legs | where_exp: "x", r }}',
    ],
    ['make a table of everything', '{% tablerow i in (1..900000) cols: 2 %}{% endtablerow %}'],
    [
      'double a text that it captures',
      `${longText}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}`,
    ],
    [
      'double it raw',
      `${longText}{% capture a %}{{ a | raw }}{{ a | raw }}{% endcapture %}{% endfor %}{{ a | raw }}`,
    ],
    ['double it by a filter', `${longText}{% assign a = a | append: a %}{% endfor %}{{ a }}`],
    [
      'replace all by more',
      `${longText}{% assign a = a | replace: "x", "xxxxxxxxxxxxxxxxxx" %}{% endfor %}{{ a }}`,
    ],
    [
      'split and join',
      `${longText}{% assign a = a | split: "" | join: "yyyyyyyyyyyyy" %}{% endfor %}{{ a }}`,
    ],
    [
      'sort without end',
      '{% assign a = (1..200000) | sort_natural %}{% for i in (1..999) %}{% assign a = a | reverse | sort_natural %}{% endfor %}',
    ],
    ['write dates of nonsense', '{{ "now" | date: "%99999999999Y" }}'],
    ['render what renders what renders', '{% for i in (1..30) %}{% render "p1" %}{% endfor %}'],
    [
      'make more than is sent',
      '{% for i in (1..300) %}{{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" }}{% for j in (1..999) %}x{% endfor %}{% endfor %}',
    ],
  ])('%s', (_what, template) => {
    const partials: Record<string, string> = { p9: 'x' }
    for (let i = 1; i < 9; i++) partials[`p${i}`] = `{% render "p${i + 1}" %}`.repeat(20)
    const payload = payloadOf(template, { content_type: 'text/plain', partials })
    expect(templateProblems(payload)).toEqual([])
    const before = process.memoryUsage().rss
    const startedAt = processorMs()
    expect(() => made(template, { content_type: 'text/plain', partials })).toThrow(
      /longer than 100 ms|too much memory|256 KiB|ends of a range/,
    )
    // Of the processor: how long the clock goes on is for the machine to say. It may be begun twice.
    expect(processorMs() - startedAt).toBeLessThan(templateLimits.renderMs * 4)
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024)
  })

  test('reach anything but the event', () => {
    const text =
      '{{ call.constructor }}{{ call.__proto__ }}{{ legs.constructor }}{{ call.toString }}{{ process }}{{ globalThis }}{{ this }}{{ call.uuid.constructor.constructor }}{{ legs | map: "constructor" | join: "" }}'
    expect(made(text, { content_type: 'text/plain' }).body).toBe('')
  })

  test('change what the next template sees', () => {
    expect(made('{% assign call = "x" %}{{ call }}', { content_type: 'text/plain' }).body).toBe('x')
    expect(made('{{ call.uuid }}', { content_type: 'text/plain' }).body).toBe(sample.call.uuid)
  })
})

describe('is watched, away from the event loop,', () => {
  const isWatched = (template: string) => {
    const payload = Payload.parse({ style: 'template', template, content_type: 'text/plain' })
    return prepareRequests('https://crm.example/', { ...plainRequest, payload }, '1').watched
  }

  test.each([
    ['a loop', '{% for leg in legs %}{{ leg.name }}{% endfor %}'],
    ['JSON of JSON, which doubles its backslashes', `{{ call ${'| json '.repeat(20)}}}`],
    ['a filter behind JSON', '{{ call | json | upcase }}'],
    ['a date in a zone', '{{ occurred_at | date: "%c", "Asia/Tokyo" }}'],
    ['more than a hundred outputs', '{{ id }}'.repeat(101)],
    ['more than 8 KiB', `{{ id }}${'x'.repeat(8_192)}`],
  ])('%s', (_, template) => expect(isWatched(template)).toBe(true))

  test.each([
    ['outputs and choices', '{% if user %}{{ user.name | upcase }}{% else %}-{% endif %}'],
    ['JSON of a value, whole or changed', '{{ call.uuid | json }}{{ user.name | upcase | json }}'],
    ['a hundred outputs', '{{ id }}'.repeat(100)],
  ])('but not %s', (_, template) => expect(isWatched(template)).toBe(false))
})

test('JSON of JSON is counted as it grows, not when it is put out', () => {
  const template = `{{ call ${'| json '.repeat(30)}| size }}`
  const payload = Payload.parse({ style: 'template', template, content_type: 'text/plain' })
  const { render } = prepareRequests('https://crm.example/', { ...plainRequest, payload }, '1')
  expect(() => render(nativeBody(eventSamples['call.ended']))).toThrow(/too much memory/)
})
