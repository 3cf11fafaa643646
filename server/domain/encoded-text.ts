/** A text as bytes in which one secret looks the same, however it was escaped on its way. Pure. */

export interface Reading {
  /** UTF-8, small letters. Longer than what counts. */
  readonly bytes: Uint8Array
  readonly length: number
  /** Where in the text's own bytes each of these began, and at the end where the text ends; null: in the same place. */
  readonly at: Uint32Array | null
}

/** What a text can be escaped with, and `+` that stands for a space. Without them the second reading is the first. */
const escapes = /[%\\+&]/

/** As it stands, and with nothing escaped: what is told by one of them is not always told by the other. */
export function readingsOf(text: string, bytes: Uint8Array): readonly Reading[] {
  return escapes.test(text) ? [asItStands(bytes), unescaped(bytes)] : [asItStands(bytes)]
}

/** What a secret looks like in each reading. */
export function shapesOf(text: string): readonly string[] {
  return readingsOf(text, Buffer.from(text)).map(({ bytes, length }) => {
    const shape = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
    // Whether a backslash is one of its own depends on what comes next.
    return shape.replace(/\\$/, '')
  })
}

export const percent = 0x25
export const ampersand = 0x26
export const backslash = 0x5c
export const smallU = 0x75
const semicolon = 0x3b
const plus = 0x2b
const space = 0x20

const small = (byte: number) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)

function asItStands(bytes: Uint8Array): Reading {
  const { length } = bytes
  const read = new Uint8Array(length)
  for (let i = 0; i < length; i += 1) read[i] = small(bytes[i] ?? 0)
  return { bytes: read, length, at: null }
}

/**
 * JSON's backslashes, `\u002f`, `%2F`, `&quot;` and `+`, each as often as it was done: what an escape becomes may end
 * another one. Secrets are read by the same rules, so that a secret which holds `%41` or a backslash itself is found too.
 */
function unescaped(source: Uint8Array): Reading {
  const bytes = new Uint8Array(source.length)
  const at = new Uint32Array(source.length + 1)
  let length = 0

  function put(byte: number, from: number): void {
    const escaped = length > 0 && bytes[length - 1] === backslash && byte !== smallU
    if (escaped && byte === backslash) return
    if (escaped) length -= 1
    bytes[length] = byte === plus ? space : byte
    if (!escaped) at[length] = from
    length += 1
  }

  for (let i = 0; i < source.length; i += 1) {
    put(small(source[i] ?? 0), i)
    let ended = escapeBefore(bytes, length)
    while (ended !== null) {
      length -= ended.length
      const from = at[length] ?? 0
      for (const byte of ended.means) put(small(byte), from)
      ended = escapeBefore(bytes, length)
    }
  }
  at[length] = source.length
  return { bytes, length, at }
}

interface Escape {
  readonly length: number
  /** Bytes of UTF-8, or one of several. */
  readonly means: Iterable<number>
}

/** The escape that ends here. */
function escapeBefore(bytes: Uint8Array, end: number): Escape | null {
  const last = bytes[end - 1]
  if (last === semicolon) return entityBefore(bytes, end)
  if (!isHex(last)) return null
  if (bytes[end - 3] === percent && isHex(bytes[end - 2])) {
    return { length: 3, means: [Number.parseInt(ascii(bytes, end - 2, end), 16)] }
  }
  if (bytes[end - 6] !== backslash || bytes[end - 5] !== smallU) return null
  const digits = ascii(bytes, end - 4, end)
  return /^[\da-f]{4}$/.test(digits)
    ? { length: 6, means: Buffer.from(String.fromCharCode(Number.parseInt(digits, 16))) }
    : null
}

const named: Readonly<Record<string, string>> = {
  amp: '&',
  apos: "'",
  gt: '>',
  lt: '<',
  quot: '"',
}
const longestEntity = '&#x10ffff;'.length

function entityBefore(bytes: Uint8Array, end: number): Escape | null {
  const most = Math.max(0, end - longestEntity)
  const from = most + bytes.subarray(most, end).lastIndexOf(ampersand)
  if (bytes[from] !== ampersand) return null
  const name = ascii(bytes, from + 1, end - 1)
  const number = /^#(?:x([\da-f]+)|(\d+))$/.exec(name)
  const code = Number.parseInt(
    number?.[1] ?? number?.[2] ?? '',
    number?.[1] === undefined ? 10 : 16,
  )
  const means = code <= 0x10ffff ? String.fromCodePoint(code) : named[name]
  return means === undefined ? null : { length: end - from, means: Buffer.from(means) }
}

const ascii = (bytes: Uint8Array, from: number, to: number) =>
  String.fromCharCode(...bytes.subarray(from, to))

/** Of a small letter. */
export function isHex(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))
}
