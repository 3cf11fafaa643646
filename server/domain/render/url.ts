/** The URL of a request: that of the webhook, with path arguments and a query. */
import { type StoredEventObject, textOf, valueAt } from '#server/domain/render/event-values.ts'
import { prepareFieldText } from '#server/domain/render/field-text.ts'
import type { Pairs } from '#server/domain/render/mapped.ts'

/** `application/x-www-form-urlencoded`, UTF-8. */
export function formText(pairs: Pairs): string {
  return new URLSearchParams(
    pairs.map(([key, value]): [string, string] => [key, textOf(value)]),
  ).toString()
}

/** Joined to the query that the URL has. */
export function withQuery(url: string, query: string): string {
  if (query === '') return url
  if (!url.includes('?')) return `${url}?${query}`
  return url.endsWith('?') || url.endsWith('&') ? url + query : `${url}&${query}`
}

/** Puts path arguments behind the path of the URL, before its query. */
export function preparePath(
  url: string,
  segments: readonly string[],
): (event: StoredEventObject) => string {
  if (segments.length === 0) return () => url
  const queryAt = url.indexOf('?')
  const [path, query] = queryAt === -1 ? [url, ''] : [url.slice(0, queryAt), url.slice(queryAt)]
  const base = /^\w+:\/\/[^/]+$/.test(path) || !path.endsWith('/') ? `${path}/` : path
  const texts = segments.map(prepareFieldText)
  return (event) => {
    const encoded = texts.map((text) =>
      segmentOf(text(event, (field) => textOf(valueAt(event, field)))),
    )
    return base + encoded.join('/') + query
  }
}

/**
 * One segment, whatever stands in it: a caller's name is the caller's to choose. Percent-encoded, `.` and `..` are still
 * steps to the URL standard, so their dots are encoded twice; no value is `-`, so that the segments behind it stay in place.
 */
function segmentOf(text: string): string {
  if (text === '') return '-'
  if (text === '.' || text === '..') return text.replaceAll('.', '%252E')
  return encodeURIComponent(text.toWellFormed())
}
