/**
 * The wire format of the Asterisk Manager Interface: `Key: Value` lines, an empty line ends the frame. Keys repeat
 * (`ChanVariable`, `Output`), their case does not matter, values may contain `: `. Pure: bytes in, frames out.
 */
import { PbxError } from '#server/pbx/pbx-error.ts'

/** Keys in lower case → values in the order they came. A line without a colon (the banner) is under ''. */
export type AmiFrame = ReadonlyMap<string, readonly string[]>

/** The first value of a key, or '' where there is none. */
export const amiField = (frame: AmiFrame, key: string): string =>
  frame.get(key.toLowerCase())?.[0] ?? ''

/** An event with twenty channel variables is 2 KB; a frame of this size is no AMI, or an attack. */
const defaultMaxFrameBytes = 256 * 1024

export interface AmiDecoder {
  /** The frames that these bytes complete. Throws PbxError `protocol` for a frame beyond the limit. */
  push(bytes: Buffer): AmiFrame[]
}

/** Holds at most one unfinished frame. After it has thrown it must not be used again: the stream has lost its step. */
export function createAmiDecoder(maxFrameBytes = defaultMaxFrameBytes): AmiDecoder {
  let lines: string[] = []
  let linesBytes = 0
  let rest: Buffer = Buffer.alloc(0)
  const checkSize = (bytes: number) => {
    if (bytes > maxFrameBytes) {
      throw new PbxError('protocol', `The PBX sent a message of more than ${maxFrameBytes} bytes.`)
    }
  }
  return {
    push(bytes) {
      const frames: AmiFrame[] = []
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      let start = 0
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
        const line = rest.toString('utf8', start, rest[end - 1] === 13 ? end - 1 : end)
        linesBytes += end + 1 - start
        start = end + 1
        checkSize(linesBytes)
        if (line !== '') {
          lines.push(line)
          continue
        }
        if (lines.length > 0) frames.push(frameOf(lines))
        lines = []
        linesBytes = 0
      }
      rest = rest.subarray(start)
      checkSize(linesBytes + rest.length)
      return frames
    },
  }
}

function frameOf(lines: readonly string[]): AmiFrame {
  const frame = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const key = colon < 0 ? '' : line.slice(0, colon).toLowerCase()
    const value = colon < 0 ? line : line.slice(colon + 1).replace(/^ /, '')
    const values = frame.get(key)
    if (values) values.push(value)
    else frame.set(key, [value])
  }
  return frame
}

/** What an action says, beside its name; an array repeats the key. */
export type AmiFields = Readonly<Record<string, string | readonly string[]>>

/**
 * The bytes of one action. Throws PbxError `protocol` for a key or value that would end its line: a phone number
 * with a line break in it must not become a second action.
 */
export function encodeAmiAction(action: string, fields: AmiFields): Buffer {
  const lines: string[] = []
  const add = (key: string, value: string) => {
    if (!/^[A-Za-z0-9_-]+$/.test(key) || /[\r\n\0]/.test(value)) {
      throw new PbxError(
        'protocol',
        `A command for the PBX has a value that is not one line (${key}).`,
      )
    }
    lines.push(`${key}: ${value}\r\n`)
  }
  add('Action', action)
  for (const [key, value] of Object.entries(fields)) {
    for (const one of typeof value === 'string' ? [value] : value) add(key, one)
  }
  return Buffer.from(`${lines.join('')}\r\n`)
}
