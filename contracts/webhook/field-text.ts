/** Text in which fields of the event may stand: `call/{{ call.uuid }}`. */
import { z } from 'zod'
import { fieldNamed, unknownField } from '#contracts/events/field-names.ts'

// One way to match only: with the spaces left out here, a text of spaces would take the cube of its length.
const placeholder = /\{\{([^{}]*)\}\}/g

/** Of unknown fields each costs a comparison with all that there are. */
const mostTold = 5

export type TextPart = { readonly text: string } | { readonly field: string }

/** The text in its parts; names of fields as they were written. */
export function partsOf(text: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let end = 0
  for (const found of text.matchAll(placeholder)) {
    if (found.index > end) parts.push({ text: text.slice(end, found.index) })
    parts.push({ field: (found[1] ?? '').trim() })
    end = found.index + found[0].length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}

/** What is wrong with the fields, the first few of it. */
function wrongFieldsIn(text: string): readonly string[] {
  const wrong: string[] = []
  for (const part of partsOf(text)) {
    if (wrong.length === mostTold) break
    if ('field' in part) {
      if (fieldNamed(part.field) === null) wrong.push(unknownField(part.field))
    } else if (/\{\{|\}\}/.test(part.text)) {
      wrong.push('must have a field between {{ and }}, as in {{ call.uuid }}')
    }
  }
  return wrong
}

/** Text with fields, of so many characters at most; parsed, its fields are native paths. */
export const fieldText = (most: number) =>
  z
    .string()
    .max(most, { abort: true })
    .superRefine((text, context) => {
      for (const message of wrongFieldsIn(text)) context.addIssue({ code: 'custom', message })
    })
    .overwrite((text) =>
      text.replaceAll(placeholder, (whole, name: string) => {
        const path = fieldNamed(name.trim())
        return path === null ? whole : `{{ ${path} }}`
      }),
    )
