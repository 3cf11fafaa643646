import type { OffhookEvent } from './events.js'

export type * from './events.js'

/** One type of event: `EventOf<'call.ended'>`. */
export type EventOf<T extends OffhookEvent['type']> = Extract<OffhookEvent, { type: T }>

export type VerificationCode =
  | 'missing_header'
  | 'bad_timestamp'
  | 'too_old'
  | 'too_new'
  | 'no_match'
  | 'not_json'

/** Why a request is not one of Offhook's, or not a fresh one: answer it with 401. */
export class VerificationError extends Error {
  constructor(code: VerificationCode, message: string)
  readonly code: VerificationCode
}

export interface VerifyOptions {
  /** How far the clocks may be apart, and how old a request may be; 300 s unless told, Infinity for any. */
  readonly toleranceSeconds?: number
  /** Epoch milliseconds; the clock's unless told. */
  readonly now?: number
}

export type RequestHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The event of a request, once its signature (Standard Webhooks, HMAC-SHA-256) is found to be right. `body` is as it came:
 * text or bytes, never parsed and written again. `secret`: that of the webhook (`whsec_…`), during its rotation the old
 * and the new one. Null for a request without a body (format query). Throws VerificationError; TypeError where body or
 * secret is none.
 */
export function verify<T = OffhookEvent>(
  body: string | Uint8Array | ArrayBuffer,
  headers: RequestHeaders,
  secret: string | readonly string[],
  options?: VerifyOptions,
): Promise<T>

export interface Signed {
  /** `webhook-id`: that of the event, the same whenever it comes again, whatever the payload. Signed, too. */
  readonly id: string
  /** When this request was made, in whole seconds. */
  readonly sentAt: Date
}

/**
 * The same without parsing: for bodies that are no JSON (a form, a template), and for payloads without the event's id.
 * A signature covers the body only: not method, address or query.
 */
export function verifySignature(
  body: string | Uint8Array | ArrayBuffer,
  headers: RequestHeaders,
  secret: string | readonly string[],
  options?: VerifyOptions,
): Promise<Signed>

/** Remembers which events were worked on. One that outlives the process keeps what is `done`, and that only. */
export interface OnceStore {
  /**
   * True: the work is the caller's to do. False: it is done. While it is under way elsewhere: wait, or throw, so that the
   * receiver answers 503 and the event comes again.
   */
  begin(id: string): Promise<boolean>
  /** After the work: who is killed between the two does the work again. */
  done(id: string): Promise<void>
  /** The work failed and may be done again. */
  failed(id: string): Promise<void>
}

export type OnceResult<T> = { readonly first: true; readonly result: T } | { readonly first: false }

/**
 * Does the work of an event once, however often the event comes: a request whose answer was lost is sent again with the
 * same `webhook-id`. So is one that somebody has sent again (`webhook-resend`): its work is done where it was not, and else
 * dropped; put that header into `id` to do it each time. Rejects as the work does; it may be done again then. TypeError
 * where there is no id.
 */
export function once<T>(
  store: OnceStore,
  id: string,
  work: () => T | Promise<T>,
): Promise<OnceResult<T>>

export interface MemoryStoreOptions {
  /** How many ids are remembered; 10,000 unless told. */
  readonly most?: number
  /** For how long, milliseconds; three days unless told. */
  readonly keepMs?: number
  readonly now?: () => number
}

/** Forgets with the process: for receivers whose work does no harm when it is done twice after a restart. */
export function memoryStore(options?: MemoryStoreOptions): OnceStore
