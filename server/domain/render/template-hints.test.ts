import { expect, test } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { Payload } from '#contracts/webhook/payload.ts'
import { templateHints } from '#server/domain/render/template-hints.ts'

function hintsOf(
  template: string,
  type: EventType = 'call.ended',
  partials: Record<string, string> = {},
) {
  const payload = Payload.parse({ style: 'template', template, partials })
  if (payload.style !== 'template') throw new Error('not a template')
  return templateHints(payload, type)
}

test('a misspelt field is told once, with the one that was meant', () => {
  expect(hintsOf('{{ call.uid }} {% if call.uid %}{% endif %}')).toEqual([
    'there is no field "call.uid": did you mean "call.uuid"? (it is empty there)',
  ])
})

test('also in a loop, a partial, a condition and an assignment', () => {
  const template =
    '{% for leg in lges %}{% endfor %}{% assign a = quue.name %}{% unless usr %}{% endunless %}{% render "p" %}'
  const hints = hintsOf(template, 'call.ended', { p: '{{ cal.uuid }}' })
  for (const name of ['lges', 'quue.name', 'usr', 'cal.uuid']) {
    expect(hints).toContainEqual(expect.stringContaining(`there is no field "${name}"`))
  }
  expect(hints).toHaveLength(4)
})

test('a field that events of the type never have', () => {
  expect(hintsOf('{{ ivr.option }} {{ voicemail.mailbox }}')).toContain(
    'call.ended never has voicemail.mailbox: it is empty there',
  )
  expect(hintsOf('{{ voicemail.mailbox }}', 'voicemail.left')).toEqual([])
})

test.each([
  '{{ call.uuid }} {{ call["uuid"] }} {{ call.source.name.size }}',
  '{% for leg in legs %}{{ leg.anything }} {{ forloop.index }}{% endfor %}',
  '{{ legs[0].name }} {{ legs.first.name }} {{ legs.size }}',
  '{% assign who = call.source %}{{ who.name }}{% if user %}{{ user.name }}{% endif %}',
  '{{ call[user.name] }}',
  '{% fro %}',
])('%s has none', (template) => {
  expect(hintsOf(template)).toEqual([])
})

test('the parameters of a Webhook object are its own', () => {
  expect(hintsOf('{{ component.parameters.score }}', 'webhook_component_event')).toEqual([])
})
