/**
 * What a PBX is to the rest of Offhook; `products.ts` makes one of a connection.
 *
 * A PBX has two sides. Its durable record (files on disk, read by cursor) is the only source of events. The link is a
 * doorbell and carries commands: everything that it tells may be missed without harm.
 */
import type { PbxDocument } from '#contracts/pbx.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'

export type LinkDownReason =
  | 'connection refused'
  | 'closed'
  | 'login refused'
  | 'no answer'
  | 'protocol error'
  | 'address refused'
  | 'not running'

/** What the link tells. Handlers return at once. */
export interface PbxListener {
  /** The link works. `bootedAt`: epoch ms of the PBX's start, ±1 s; null where it may not be asked. */
  readonly up: (link: { readonly bootedAt: number | null }) => void
  /** From now on things may happen unheard. Once per gap, also for the one before the first connection. */
  readonly down: (reason: LinkDownReason) => void
  /** Something happened: the record may have grown. */
  readonly activity: () => void
}

export interface PbxLink {
  /** Tells the listener until the signal aborts, beginning with how things are. */
  readonly run: (on: PbxListener, signal: AbortSignal) => Promise<void>
  /** Unique ids of the channels that exist now. Throws PbxError when the PBX cannot be asked. */
  readonly listChannels: () => Promise<ReadonlySet<string>>
}

/**
 * The durable record, as rows in the order in which the fold wants them. A cursor is text that only the record
 * understands: whoever holds one can go on reading behind what it has, after any time and any crash.
 */
export interface PbxRecord {
  /** Rows that were read can be read again until `tidy` has removed them; false: until what is behind them is read. */
  readonly keepsRows: boolean
  /** The cursor to begin from: `stored` is the last one of an earlier run; null or '' when nothing was read yet. */
  readonly resume: (stored: string | null) => Promise<string>
  /**
   * What is behind the cursor. Calling it with the new cursor says that what came before is safe, where
   * the record does not keep its rows.
   */
  readonly read: (cursor: string) => Promise<RecordBatch>
  /** Rings when the record may have grown. A doorbell only: whoever listens reads by a timer too. */
  readonly watch: (onGrowth: () => void, signal: AbortSignal) => void
  /** Keeps the record from growing for ever; what is behind the cursor stays. `now`: epoch ms. */
  readonly tidy: (cursor: string, now: number) => Promise<void>
  /** Lets go of what reading holds open; it may go on after it. */
  readonly close: () => void
}

export interface RecordBatch {
  readonly rows: readonly PbxRow[]
  /** Behind these rows; the same text as before where there was nothing new. */
  readonly cursor: string
  /** There is more to read at once. */
  readonly more: boolean
  readonly remarks: readonly RecordRemark[]
  /** What happened before this, by the clock of the PBX, was read late, not live; null: as capture knows by itself. */
  readonly liveSince: number | null
}

/** Something in the record is not as it should be; for the log, the reading goes on behind it. */
export interface RecordRemark {
  readonly message: string
  readonly facts: object
}

export interface PbxLog {
  readonly info: (facts: object, message: string) => void
  readonly warn: (facts: object, message: string) => void
}

/** A PBX that somebody else configures and runs. */
export interface AttachedPbx {
  readonly kind: 'attached'
  readonly record: PbxRecord
  /** Connects at once, until it is closed. Null: there is the record alone. */
  readonly link: (PbxLink & { readonly close: () => Promise<void> }) | null
  /** What people know the link as. */
  readonly linkName: 'manager interface' | 'agent'
  /** Endpoints of the lines to carriers; null: guessed. */
  readonly trunks: ReadonlySet<string> | null
}

/** A PBX that Offhook is to configure and run. Its record can be read before it is open, and after. */
export interface ManageablePbx {
  readonly kind: 'managed'
  readonly record: PbxRecord
  /** Brings it up with the document. Throws PbxError when it does not come up. */
  readonly open: (document: PbxDocument) => Promise<ManagedPbx>
}

/** What `apply` did. */
export interface AppliedConfiguration {
  /** Marker of this configuration, which the PBX was asked for afterwards. */
  readonly revision: string
  /** Names of the files that differed. */
  readonly changed: readonly string[]
  /**
   * Files that only a restart of the PBX brings to life, changed now or before; the process was left alone, calls go on.
   */
  readonly restartNeeded: readonly string[]
}

/** A PBX that Offhook configures and runs. */
export interface ManagedPbx extends PbxLink {
  /** It was found running, and part of its document waits for a restart since an earlier run of ours. */
  readonly restartNeeded: boolean
  /**
   * Makes the document live; calls go on. Throws PbxError `configuration_rejected` when the PBX did not take it, with
   * the PBX's own words; the configuration before it is then in force again.
   */
  apply(document: PbxDocument): Promise<AppliedConfiguration>
  /** Stops the PBX, hanging up its calls, and starts it again. */
  restart(): Promise<void>
  /** Returns when the PBX has taken the order, not when somebody answered. */
  originate(call: OriginateCall): Promise<void>
  /** Stops the PBX. Its calls are hung up, their last rows are in the record when this returns. */
  close(): Promise<void>
}

/** Makes the PBX call an extension, and connects the one who answers with another. */
export interface OriginateCall {
  /** Extension number of the user whose phone rings first. */
  readonly from: string
  /** What is dialled for the user then. */
  readonly to: string
  /** Passed through to the events of the call. */
  readonly leadId?: string
  readonly ringSeconds?: number
}
