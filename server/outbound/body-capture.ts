/** Keeps the beginning of a body in at most `limit` bytes of memory, however it was cut into pieces. */
export interface BodyCapture {
  /** False: the body is longer than what is kept, and the rest is of no use. */
  readonly add: (chunk: Uint8Array) => boolean
  /** As UTF-8: bytes that are none become U+FFFD, a character that the limit cut in two is left out. */
  readonly text: () => string
}

const firstBytes = 1024
const empty = Buffer.alloc(0)
/** To make one costs as much as to decode a short answer. It keeps nothing from one text to the next. */
const wholeTexts = new TextDecoder()

/**
 * The bytes are copied together, not collected: pieces of one byte, each with its own object, would take a hundred
 * times the memory that their sum suggests.
 */
export function createBodyCapture(limit: number): BodyCapture {
  let kept = empty
  let length = 0
  let complete = true

  function makeRoom(wanted: number): void {
    if (wanted <= kept.length) return
    // What is beyond `length` is never read.
    const larger = Buffer.allocUnsafe(
      Math.min(limit, Math.max(wanted, kept.length * 2, firstBytes)),
    )
    kept.copy(larger, 0, 0, length)
    kept = larger
  }

  return {
    add(chunk) {
      const part = chunk.subarray(0, limit - length)
      makeRoom(length + part.length)
      kept.set(part, length)
      length += part.length
      if (part.length < chunk.length) complete = false
      return complete
    },
    text() {
      const bytes = kept.subarray(0, length)
      return complete ? wholeTexts.decode(bytes) : new TextDecoder().decode(bytes, { stream: true })
    },
  }
}
