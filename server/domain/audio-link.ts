/**
 * Links to the audio of a call that work without an API key, for whoever got one in an event: they name the event that
 * told of the audio, end at a time, and are signed. Pure: the same event has the same link, whenever it is read.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

export interface AudioLinks {
  /** Where Offhook is reached from outside, without a slash at its end. */
  readonly publicUrl: string
  /** Of this installation; a link of another does not open. */
  readonly key: Buffer
  /** How long after its event a link works, ms. */
  readonly ttlMs: number
}

/** As they are set: without an address, or without a time, no links are made. */
export interface LinkSettings {
  readonly publicUrl: string | null
  readonly key: Buffer
  readonly ttlMs: number | null
}

/** Null: none are made. */
export function linksOf({ publicUrl, key, ttlMs }: LinkSettings): AudioLinks | null {
  return publicUrl === null || ttlMs === null ? null : { publicUrl, key, ttlMs }
}

const pathOf = (eventId: string): string => `/api/v1/recordings/${eventId}/public`

/** `expires`: epoch seconds. The address that Offhook is reached at is not signed: it may get another. */
function signatureOf(key: Buffer, eventId: string, expires: number): Buffer {
  return createHmac('sha256', key)
    .update(`${pathOf(eventId)}\n${expires}`)
    .digest()
}

/** `from`: when its time begins, epoch ms; for an event the time at which it happened. */
export function audioLink(links: AudioLinks, eventId: string, from: number): string {
  const expires = Math.ceil((from + links.ttlMs) / 1000)
  const signature = signatureOf(links.key, eventId, expires).toString('base64url')
  return `${links.publicUrl}${pathOf(eventId)}?expires=${expires}&signature=${signature}`
}

/** `now`: epoch ms. The signature is compared in constant time, and before anything is said of the time. */
export function checkAudioLink(
  key: Buffer,
  link: { readonly eventId: string; readonly expires: number; readonly signature: string },
  now: number,
): 'valid' | 'expired' | 'wrong' {
  const right = signatureOf(key, link.eventId, link.expires)
  const given = Buffer.from(link.signature, 'base64url')
  if (given.length !== right.length || !timingSafeEqual(given, right)) return 'wrong'
  return link.expires * 1000 <= now ? 'expired' : 'valid'
}
