import { formatTypes, type ListFormat, listFormats } from '#contracts/export.ts'

interface Wish {
  readonly type: string
  readonly quality: number
}

function wishOf(part: string): Wish {
  const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
  const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  const quality = q === undefined ? 1 : Number(q)
  return { type, quality: Number.isFinite(quality) ? quality : 0 }
}

/**
 * The format that an `Accept` header wants most, RFC 9110 12.5.1. JSON where it names none of ours, or all of them
 * alike: whatever a browser or a library accepts, it is no wish for an export.
 */
export function wantedFormat(accept: string | undefined): ListFormat {
  if (accept === undefined) return 'json'
  const wishes = accept.split(',').map(wishOf)
  const qualityOf = (format: ListFormat) =>
    wishes.find((wish) => wish.type === formatTypes[format])?.quality ?? 0
  return listFormats.reduce((best, format) => (qualityOf(format) > qualityOf(best) ? format : best))
}
