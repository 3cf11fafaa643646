/**
 * What a PBX is to the rest of Offhook. The pipeline sees these types and nothing of Asterisk.
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
  onUp(link: { readonly bootedAt: number | null }): void
  /** From now on things may happen unheard. Once per gap. */
  onDown(reason: LinkDownReason): void
  /** Something happened: the record may have grown. */
  onDoorbell(): void
}

/** Where the durable record of the PBX is. */
export interface PbxRecord {
  readonly celPath: string
  readonly queueLogPath: string | null
}

export interface PbxLink {
  readonly record: PbxRecord
  isUp(): boolean
  /** Unique ids of the channels that exist now. Throws PbxError when the PBX cannot be asked. */
  listChannels(): Promise<readonly string[]>
  /** Ends the link; a managed PBX is stopped, too. */
  close(): Promise<void>
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
  /**
   * Makes the document live; calls go on. Throws PbxError `configuration_rejected` when the PBX did not take it, with
   * the PBX's own words; the configuration before it is then in force again.
   */
  apply(document: PbxDocument): Promise<AppliedConfiguration>
  /** Stops the PBX, hanging up its calls, and starts it again. */
  restart(): Promise<void>
  originate(call: OriginateCall): Promise<void>
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
