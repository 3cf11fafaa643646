/**
 * What work on many rows has in common: it goes in steps of some hundred rows, each in a transaction of its own, in
 * the order of the rows' numbers. Each step leaves alone what is as it should be already, so a walk that broke off
 * (kill -9, a cut line) is simply walked again.
 */
import { StoreError } from '#server/store/store-error.ts'

/** Where a walk is. */
export interface WalkPlace {
  /** When it began, epoch milliseconds: what came about later is not its business. */
  readonly startedAt: number
  /** The last row number that it has done. */
  readonly after: number
}

export interface Step {
  /** Rows changed or made by the step. */
  readonly changed: number
  /** The last row number looked at; null: there is none left. */
  readonly next: number | null
}

/** Does one step of at most `limit` rows. */
export type StepOf = (walk: WalkPlace, limit: number) => Promise<Step>

/** The text that a caller gets to go on with later; `name` says of which work it is. */
export function walkCursor(name: string, { startedAt, after }: WalkPlace): string {
  return Buffer.from(`${name} ${startedAt} ${after}`).toString('base64url')
}

/** Throws StoreError `invalid_cursor` where the text is not one of this work. */
export function walkOf(name: string, cursor: string | undefined, now: number): WalkPlace {
  if (cursor === undefined) return { startedAt: now, after: 0 }
  const parts = Buffer.from(cursor, 'base64url').toString().split(' ')
  const [startedAt, after] = parts.slice(-2).map(Number)
  const whole = Number.isSafeInteger(startedAt) && Number.isSafeInteger(after)
  if (parts.slice(0, -2).join(' ') !== name || !whole) {
    throw new StoreError('invalid_cursor', 'The cursor is not one of this work.')
  }
  return { startedAt: startedAt ?? 0, after: after ?? 0 }
}
