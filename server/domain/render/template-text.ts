/** How a value stands in the text of a template: so that what a caller chose cannot end the place where it stands. */

export type TextKind = 'json' | 'xml' | 'form' | 'plain'

/** What a body of this content type is written in. */
export function textKind(contentType: string): TextKind {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase()
  if (/[/+]json$/.test(type)) return 'json'
  if (/[/+]xml$/.test(type) || type === 'text/html') return 'xml'
  return type === 'application/x-www-form-urlencoded' ? 'form' : 'plain'
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** What is absent is empty. */
export function plainText(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export function escaped(value: unknown, kind: TextKind): string {
  const text = plainText(value)
  switch (kind) {
    case 'json':
      // The inside of a string.
      return JSON.stringify(text).slice(1, -1)
    case 'xml':
      return text
        .toWellFormed()
        .replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? '')
        .replaceAll(notXml, '')
    case 'form':
      return encodeURIComponent(text.toWellFormed())
    case 'plain':
      return text
  }
}

/** XML 1.0 knows no way to write these, not even as entities. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that are taken out
const notXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g
