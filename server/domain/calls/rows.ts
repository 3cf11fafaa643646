/**
 * What the fold eats: rows of the PBX's durable record, parsed.
 * The columns are those of the documented `cel_custom.conf` mapping, see `asterisk/cel-row.ts`.
 */

/** One channel event of Asterisk (CEL). Times are epoch milliseconds, fractions kept. */
export interface CelRow {
  readonly kind: 'cel'
  /** `CHAN_START`, `ANSWER`, `HANGUP`, …; for user-defined rows `USER_DEFINED`. */
  readonly type: string
  /** Name of a user-defined row (`PBX_INBOUND`, …), else ''. */
  readonly mark: string
  readonly at: number
  readonly callerName: string
  readonly callerNumber: string
  readonly extension: string
  readonly context: string
  readonly channel: string
  readonly app: string
  readonly appData: string
  readonly uniqueId: string
  readonly linkedId: string
  readonly peer: string
  /** The JSON of the EventExtra column; {} where empty. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** One line of queue_log. Times have whole seconds there. */
export interface QueueLogRow {
  readonly kind: 'queue_log'
  readonly at: number
  readonly uniqueId: string
  readonly queue: string
  readonly agent: string
  /** `ENTERQUEUE`, `CONNECT`, `ABANDON`, `QUEUESTART`, … */
  readonly event: string
  readonly data: readonly string[]
}

/** What the reconciler found out: these channels are gone although no row said so. */
export interface ChannelsGoneRow {
  readonly kind: 'channels_gone'
  readonly at: number
  readonly uniqueIds: readonly string[]
}

/** The PBX process started: every channel that began before is gone. */
export interface BootRow {
  readonly kind: 'boot'
  readonly at: number
}

export type PbxRow = CelRow | QueueLogRow | ChannelsGoneRow | BootRow
