/** Where secrets stand in a text, in whatever form they are repeated. Pure. */
import {
  ampersand,
  backslash,
  isHex,
  percent,
  type Reading,
  readingsOf,
  shapesOf,
  smallU,
} from '#server/domain/encoded-text.ts'

/** Shorter ones are found in the middle of words, and hide nothing. */
const shortestFound = 6

/**
 * How many bytes are compared before the search is given up, after some 20 ms. An answer of 64 KiB that repeats fifty
 * secrets takes 0.9 million; who makes secrets and an answer that all but match would stop everybody's deliveries.
 */
const mostCompared = 4_000_000

/** The shapes of secrets by their first four bytes; there is nothing to look up for most places of a text. */
export interface Wanted {
  readonly byStart: ReadonlyMap<number, readonly string[]>
  /** Not 0 for the starts that are there, and a few more. */
  readonly marks: Uint8Array
}

const markBits = 12
const markOf = (start: number) => Math.imul(start, 0x9e3779b1) >>> (32 - markBits)

/** Null: there is nothing to look for. */
export function wantedOf(secrets: readonly string[]): Wanted | null {
  const shapes = new Set(
    secrets
      .filter(({ length }) => length >= shortestFound)
      .flatMap(formsOf)
      .flatMap(shapesOf),
  )
  const byStart = new Map<number, string[]>()
  const marks = new Uint8Array(1 << markBits)
  for (const shape of shapes) {
    // What is left of `%41%42` is too little, too.
    if (shape.length < shortestFound) continue
    const start = [0, 1, 2, 3].reduce((key, i) => (key << 8) | shape.charCodeAt(i), 0)
    marks[markOf(start)] = 1
    const same = byStart.get(start)
    if (same === undefined) byStart.set(start, [shape])
    else same.push(shape)
  }
  return byStart.size === 0 ? null : { byStart, marks }
}

/** JSON writes a character beyond U+FFFF as two escapes, which by themselves are none: each reads as U+FFFD. */
const halved = (secret: string) => secret.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '\ufffd\ufffd')

function formsOf(secret: string): readonly string[] {
  const padded = Buffer.from(secret).toString('base64')
  const base64 = padded.replace(/=+$/, '')
  const base64url = base64.replaceAll('+', '-').replaceAll('/', '_')
  return [secret, halved(secret), padded, base64, base64url]
}

/** In bytes of the text. */
export interface Place {
  readonly from: number
  readonly to: number
}

/**
 * By where they begin. `cut`: the text ends where it was cut off, so what it ends with may be the beginning of a
 * secret; so may what stands before `…`. Null: it would take too long.
 */
export function placesOf(
  wanted: Wanted,
  text: string,
  bytes: Uint8Array,
  cut: boolean,
): readonly Place[] | null {
  const places: Place[] = []
  let compared = 0
  for (const reading of readingsOf(text, bytes)) {
    const { at } = reading
    const found = eachStart(wanted, reading, (from, shapes) => {
      let to = 0
      for (const shape of shapes) {
        const same = sameBytes(reading, from, shape)
        compared += same
        to = Math.max(to, same === shape.length ? from + same : endOfCut(reading, from, same, cut))
      }
      if (to > 0) places.push({ from: at?.[from] ?? from, to: at?.[to] ?? to })
      return compared <= mostCompared
    })
    if (!found) return null
  }
  return places.toSorted((a, b) => a.from - b.from)
}

/** Until `look` says no; whether it did not. */
function eachStart(
  { byStart, marks }: Wanted,
  { bytes, length }: Reading,
  look: (from: number, shapes: readonly string[]) => boolean,
): boolean {
  let start = 0
  for (let i = 0; i < length; i += 1) {
    start = (start << 8) | (bytes[i] ?? 0)
    if (marks[markOf(start)] === 0 || i < 3) continue
    const shapes = byStart.get(start)
    if (shapes !== undefined && !look(i - 3, shapes)) return false
  }
  return true
}

function sameBytes({ bytes, length }: Reading, from: number, shape: string): number {
  const most = Math.min(shape.length, length - from)
  let same = 0
  while (same < most && bytes[from + same] === shape.charCodeAt(same)) same += 1
  return same
}

/** Where the text was cut off behind so much of a secret; 0: it was not, or there is too little to tell. */
function endOfCut(reading: Reading, from: number, same: number, cut: boolean): number {
  if (same < shortestFound) return 0
  const { bytes, length } = reading
  const end = endOfBrokenEscape(reading, from + same)
  const ellipsis = bytes[end] === 0xe2 && bytes[end + 1] === 0x80 && bytes[end + 2] === 0xa6
  return (cut && end === length) || (ellipsis && end + 2 < length) ? end : 0
}

/** The cut may go through an escape. */
function endOfBrokenEscape({ bytes, length }: Reading, from: number): number {
  const first = bytes[from]
  if (first !== percent && first !== backslash && first !== ampersand) return Math.min(from, length)
  let end = from + 1
  if (first === backslash && bytes[end] === smallU) end += 1
  if (first === ampersand) while (end < length && isOfEntity(bytes[end] ?? 0)) end += 1
  else while (end < length && isHex(bytes[end])) end += 1
  return Math.min(end, length)
}

const isOfEntity = (byte: number) => byte === 0x23 || isHex(byte) || (byte > 0x66 && byte < 0x7b)
