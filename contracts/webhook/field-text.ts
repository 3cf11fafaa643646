/** Text in which fields of the event may stand: `call/{{ call.uuid }}`. */
import { z } from 'zod'
import { fieldNamed, unknownField } from '#contracts/events/field-names.ts'

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g

export type TextPart = { readonly text: string } | { readonly field: string }

/** The text in its parts; names of fields as they were written. */
export function partsOf(text: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let end = 0
  for (const found of text.matchAll(placeholder)) {
    if (found.index > end) parts.push({ text: text.slice(end, found.index) })
    parts.push({ field: found[1] ?? '' })
    end = found.index + found[0].length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}

/** Text with fields, of so many characters at most; parsed, its fields are native paths. */
export const fieldText = (most: number) =>
  z
    .string()
    .max(most)
    .superRefine((text, context) => {
      for (const part of partsOf(text)) {
        if ('field' in part) {
          if (fieldNamed(part.field) === null) {
            context.addIssue({ code: 'custom', message: unknownField(part.field) })
          }
        } else if (/\{\{|\}\}/.test(part.text)) {
          context.addIssue({
            code: 'custom',
            message: 'must have a field between {{ and }}, as in {{ call.uuid }}',
          })
        }
      }
    })
    .overwrite((text) =>
      text.replaceAll(placeholder, (whole, name: string) => {
        const path = fieldNamed(name)
        return path === null ? whole : `{{ ${path} }}`
      }),
    )
