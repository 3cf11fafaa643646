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
 * One segment, whatever stands in it: a caller's name is the caller's to choose. Steps (`.`, `..`) have their dots encoded
 * twice: the URL standard takes `%2E%2E` for a step, and some receivers (nginx) decode `%2F` before they look for steps, so that
 * `..%2F` is one too. No value is `-`, so that the segments behind it stay in place.
 */
function segmentOf(text: string): string {
  if (text === '') return '-'
  const stepless = text.replaceAll(/(?<=^|[/\\])\.{1,2}(?=$|[/\\])/g, (dots) =>
    '%2E'.repeat(dots.length),
  )
  return encodeURIComponent(stepless.toWellFormed())
}
