/**
 * The notation of the expectations, and what many of them share.
 *
 * One line per event: `type user @queue-or-ring-group detail`; events of one moment whose order means nothing stand
 * together in a list. Durations are seconds, ± 1.
 */
import type {
  CallStatus,
  Direction,
  HangupCause,
  HangupInitiator,
} from '#contracts/events/facts.ts'

export type ExpectedEvents = readonly (string | readonly string[])[]

/** A call whose end is told by the call that it was joined to: a consultation call. */
export interface ExpectedBeginning {
  readonly direction: Direction
  readonly from: string
  readonly to: string
  readonly events: ExpectedEvents
  /** Facts of the caller beyond the number, where the recording is about them. */
  readonly source?: {
    readonly number?: string | null
    readonly name?: string | null
    readonly anonymous?: boolean
  }
}

/** Of a queue or ring group that was answered: seconds from the start of the call, and of the talk of who answered. */
export interface ExpectedAnswer {
  readonly after: number
  readonly talk: number
}

export interface ExpectedCall extends ExpectedBeginning {
  readonly status: CallStatus
  readonly hangup: readonly [HangupInitiator, HangupCause]
  readonly talker: boolean
  readonly bridged: boolean
  readonly duration: number
  readonly bill: number
  readonly ring?: number
  readonly wait?: number
  /** In order of the summaries; those that nobody answered are left out. */
  readonly answers?: readonly ExpectedAnswer[]
  readonly answeredBy: string | null
  readonly via?: 'pickup'
  readonly divertedTo?: string
  readonly incomplete?: true
  readonly merged?: number
}

export type ExpectedCalls = Readonly<Record<string, readonly (ExpectedCall | ExpectedBeginning)[]>>

interface Seconds {
  readonly duration: number
  readonly ring?: number
  readonly wait?: number
  readonly answers?: readonly ExpectedAnswer[]
}

export const anna = '0301234567'
export const inbound = { direction: 'inbound', from: anna } as const

/** The record of a call that somebody answered; `answeredBy` is null where that was an outside party. */
export function talked(
  answeredBy: string | null,
  endedBy: HangupInitiator,
  seconds: Seconds & { readonly bill: number },
) {
  const hangup = [endedBy, 'Answered'] as const
  return {
    status: 'answered',
    talker: true,
    bridged: true,
    answeredBy,
    hangup,
    ...seconds,
  } as const
}

/** The record of a call that nobody answered. */
export function notAnswered(
  status: CallStatus,
  hangup: readonly [HangupInitiator, HangupCause],
  seconds: Seconds,
) {
  return { status, hangup, talker: false, bridged: false, bill: 0, answeredBy: null, ...seconds }
}

/** Somebody outside calls, the user's phone rings, the user answers, the call ends. */
export function plainInbound(user: string): readonly string[] {
  return ['call.inbound.received', ...answersInbound(user), `call.ended ${user}`]
}

/** The part of a user who is the first to answer a call from outside, to the end of that part. */
export function answersInbound(user: string, where = ''): readonly string[] {
  const who = withPlace(user, where)
  return [
    `user.inbound.ringing ${who}`,
    `call.inbound.answered ${who}`,
    `user.inbound.answered ${who}`,
    `user.inbound.completed ${who} completed`,
  ]
}

/** A phone is offered the call and does not answer it. */
export function ringsInVain(user: string, outcome: string, where = ''): readonly string[] {
  const who = withPlace(user, where)
  return [`user.inbound.ringing ${who}`, `user.inbound.completed ${who} ${outcome}`]
}

export function rings(users: readonly string[], where: string): readonly string[] {
  return users.map((user) => `user.inbound.ringing ${user} @${where}`)
}

/** A user calls another extension, whose phone rings. */
export function internalRinging(from: string, to: string): readonly string[] {
  return [
    `call.internal.placed ${from}`,
    `user.outbound.placed ${from}`,
    `user.inbound.ringing ${to}`,
  ]
}

/** A user calls another extension, which answers. */
export function internalAnswered(from: string, to: string): readonly string[] {
  return [
    ...internalRinging(from, to),
    `call.internal.answered ${to}`,
    `user.outbound.answered ${from}`,
    `user.inbound.answered ${to}`,
  ]
}

export function plainInternal(from: string, to: string): ExpectedEvents {
  return [
    ...internalAnswered(from, to),
    [`user.outbound.completed ${from} completed`, `user.inbound.completed ${to} completed`],
    `call.ended ${to}`,
  ]
}

/** A user's call goes out, and the outside party answers. */
export function outboundAnswered(user: string): readonly string[] {
  return [
    `call.outbound.placed ${user}`,
    `user.outbound.placed ${user}`,
    `call.outbound.answered ${user}`,
    `user.outbound.answered ${user}`,
  ]
}

/** User 201's call goes out, and nobody answers. */
export function outboundNotAnswered(
  to: string,
  outcome: string,
  record: ReturnType<typeof notAnswered>,
): ExpectedCall {
  return {
    direction: 'outbound',
    from: '201',
    to,
    events: [
      'call.outbound.placed 201',
      'user.outbound.placed 201',
      `user.outbound.completed 201 ${outcome}`,
      'call.ended 201',
    ],
    ...record,
  }
}

/** Somebody outside calls, one user's phone is offered the call, nobody answers. */
export function inboundMissedByUser(
  to: string,
  user: string,
  outcome: string,
  record: ReturnType<typeof notAnswered>,
): ExpectedCall {
  return {
    ...inbound,
    to,
    events: [
      'call.inbound.received',
      ...ringsInVain(user, outcome),
      `call.missed ${user} user`,
      'call.ended',
    ],
    ...record,
  }
}

/** A plain call from outside in which user 201 answers. */
export function inboundAnsweredBy201(
  to: string,
  endedBy: HangupInitiator,
  seconds: Seconds & { readonly bill: number },
): ExpectedCall {
  return { ...inbound, to, events: plainInbound('201'), ...talked('201', endedBy, seconds) }
}

function withPlace(user: string, where: string): string {
  return where === '' ? user : `${user} @${where}`
}
