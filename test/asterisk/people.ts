/** Who calls and who answers in a test, and what they do. */
import {
  answered,
  awaitHangUp,
  hangUp,
  refusedWith,
  rejectWith,
  ringThenAnswer,
  ringUntilCancelled,
  type Step,
  wait,
} from '#test/support/sipp-scenario.ts'

export type User = '201' | '202' | '203' | '204'

export interface Caller {
  /** Over which line the call comes: the carrier’s, or a user’s phone. */
  readonly line: 'carrier' | User
  readonly number: string
  readonly name?: string
  readonly to: string
  readonly steps: readonly Step[]
  /** How long after the start it calls; 0 unless told. */
  readonly afterMs?: number
  /** How many such calls it makes, and how many of them it begins in a second; 1 unless told. */
  readonly calls?: number
  readonly perSecond?: number
}

export interface Phone {
  readonly steps: readonly Step[]
  /** How many calls it must get; 1 unless told. */
  readonly calls?: number
}

/** Everybody who takes part in what is played. */
export interface Cast {
  readonly callers: readonly Caller[]
  /** Who answers at the fixed addresses: the users’ phones, and the carrier for calls to outside. */
  readonly phones?: { readonly [who in User | 'carrier']?: Phone }
  /** These users register first. */
  readonly registers?: readonly User[]
}

export const anyRefusal = refusedWith(404, 403, 408, 480, 486, 487, 500, 502, 503, 600, 603)

export const anna = (to: string, ...steps: readonly Step[]): Caller => ({
  line: 'carrier',
  number: '0301234567',
  name: 'Anna Extern',
  to,
  steps,
})
export const ben = (to: string, ...steps: readonly Step[]): Caller => ({
  ...anna(to, ...steps),
  number: '0307654321',
  name: 'Ben Extern',
})
export const user = (line: User, to: string, ...steps: readonly Step[]): Caller => ({
  line,
  number: line,
  to,
  steps,
})
export const after = (ms: number, caller: Caller): Caller => ({ ...caller, afterMs: ms })
export const phone = (...steps: readonly Step[]): Phone => ({ steps })

/** Talks for so long, then hangs up. */
export const talk = (ms: number) => [answered, wait(ms), hangUp]
export const untilTheyHangUp = [answered, awaitHangUp]
export const answersAfter = (ms: number) => phone(ringThenAnswer(ms), awaitHangUp)
export const answersAndHangsUp = (ms: number) => phone(ringThenAnswer(1_000), wait(ms), hangUp)
export const onlyRings = phone(ringUntilCancelled)
export const isBusy = phone(rejectWith('486 Busy Here'))
