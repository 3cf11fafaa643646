import { createHash } from 'node:crypto'

/** Strong entity tag of an object as the API shows it. */
export function etagOf(object: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(object)).digest('base64url')
  return `"${hash.slice(0, 22)}"`
}

/**
 * Whether `etag` is among those that an `If-Match` or `If-None-Match` header lists, RFC 9110 13.1. Weak tags
 * (`W/…`, which proxies make of ours when they compress) are compared by their value.
 */
export function listsEtag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
