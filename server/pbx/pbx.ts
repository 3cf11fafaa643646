/**
 * What a running PBX is to the rest of Offhook. How its record is read belongs to the product (`asterisk/log-tail.ts`,
 * `cel-row.ts`); it ends in the rows of `domain/calls/rows.ts`.
 *
 * A PBX has two sides. Its durable record (files on disk, read by cursor) is the only source of events. The link is a
 * doorbell and carries commands: everything that it tells may be missed without harm.
 */
import type { PbxDocument } from '#contracts/pbx.ts'

export type LinkDownReason =
  | 'connection refused'
  | 'closed'
  | 'login refused'
  | 'no answer'
  | 'protocol error'
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

/** The files of the durable record. */
export interface PbxRecord {
  readonly celPath: string
  readonly queueLogPath: string
  /** Folder of the messages, `<context>/<mailbox>/INBOX/…`, and of the recordings. */
  readonly voicemailFolder: string
  readonly recordingsFolder: string
}

/** What `apply` did. */
export interface AppliedConfiguration {
  /** Marker of this configuration, which the PBX was asked for afterwards. */
  readonly revision: string
  /** Names of the files that differed. */
  readonly changed: readonly string[]
  /** Changed files that only a restart of the PBX brings to life; the process was left alone, calls go on. */
  readonly restartNeeded: readonly string[]
}

/** A PBX that Offhook configures and runs. */
export interface ManagedPbx extends PbxLink {
  readonly record: PbxRecord
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
