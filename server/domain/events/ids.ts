/**
 * Ids made from what an event is about, never from chance or the clock: reading the same record twice gives the same
 * ids, so nothing can be doubled.
 */
import { createHash } from 'node:crypto'
import { crockfordOfBytes, crockfordOfNumber } from '#server/domain/crockford.ts'

/** The UUID (version 5) of a name within a namespace that is itself a UUID; RFC 9562, 5.5. */
export function namedUuid(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  return uuidOf(5, hash)
}

/** Sets the version and the variant in the 16 bytes. */
function uuidOf(version: number, bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (version << 4)
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}

/** The unique id of a channel ends in the second of its start and a number. */
const startOf = /(?:^|-)(\d{9,11})\.\d+$/

/**
 * When the call's first channel came about, by the id that Asterisk gave it: the same whenever and from wherever the
 * record is read, which no time of a fact promises. 0 where the id does not tell.
 */
export function callBegan(callId: string): number {
  return Number(startOf.exec(callId)?.[1] ?? 0) * 1_000
}

/** A UUID of version 8 (RFC 9562, 5.8) laid out as version 7: when the call began, then a hash of what call it is. */
export function callUuid(serviceUuid: string, callId: string): string {
  const bytes = createHash('sha256').update(`${serviceUuid} call ${callId}`).digest()
  bytes.writeUIntBE(callBegan(callId), 0, 6)
  return uuidOf(8, bytes.subarray(0, 16))
}

/**
 * `evt_` and a ULID: when what the event is about began (epoch milliseconds), then 80 bits of a hash of it. Ids that
 * come about one after the other stand side by side in the database's index, which grows at its end (decision 0020).
 */
export function eventId(since: number, owner: string, about: string): string {
  const hash = createHash('sha256').update(`${owner} ${about}`).digest().subarray(0, 10)
  return `evt_${crockfordOfNumber(since, 10)}${crockfordOfBytes(hash)}`
}
