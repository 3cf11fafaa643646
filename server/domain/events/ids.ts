/**
 * Ids made from what an event is about, never from chance or the clock: reading the same record twice gives the same
 * ids, so nothing can be doubled.
 */
import { createHash } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** The UUID (version 5) of a name within a namespace that is itself a UUID; RFC 9562, 5.5. */
export function namedUuid(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}

export function callUuid(serviceUuid: string, callId: string): string {
  return namedUuid(serviceUuid, `call ${callId}`)
}

/** `evt_` and 26 characters (130 bits) of the hash of what the event is about. */
export function eventId(serviceUuid: string, about: string): string {
  const hash = createHash('sha256').update(`${serviceUuid} ${about}`).digest()
  let bits = 0n
  for (const byte of hash.subarray(0, 17)) bits = (bits << 8n) | BigInt(byte)
  let id = ''
  for (let i = 0; i < 26; i += 1) {
    id += alphabet[Number(bits & 31n)]
    bits >>= 5n
  }
  return `evt_${id}`
}
