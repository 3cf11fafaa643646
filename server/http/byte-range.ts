/** The part of a file that a request asks for; RFC 9110, 14.1.2. Pure. */

export interface ByteRange {
  readonly first: number
  /** The last byte, not the one behind it. */
  readonly last: number
}

/**
 * `whole`: there is no range, or one that need not be heeded (several, another unit, one that cannot be read). `none`:
 * the file ends before it.
 */
export function rangeOf(header: string | undefined, bytes: number): ByteRange | 'whole' | 'none' {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? []
  if (from === '' && to === '') return 'whole'
  if (from === '') {
    // The last so many bytes.
    const count = Math.min(Number(to), bytes)
    return count === 0 ? 'none' : { first: bytes - count, last: bytes - 1 }
  }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return 'whole'
  if (first >= bytes) return 'none'
  return { first, last: to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1) }
}
