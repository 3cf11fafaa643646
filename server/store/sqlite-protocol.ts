/** What is said between the event loop (`sqlite-thread.ts`) and the thread that owns a connection (`sqlite-worker.ts`). */
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Durability } from '#server/store/durability.ts'
import type { ProcedureName } from '#server/store/procedures.ts'
import type { StoreErrorCode } from '#server/store/store-error.ts'

/** How a transaction begins; `snapshot`: reads only, all of one state. */
export type Begin = Durability | 'snapshot'

export interface ConnectionSettings {
  readonly path: string
  readonly access: 'read' | 'write'
  /** File whose exclusive lock keeps other processes out; null: no lock. */
  readonly lockPath: string | null
  /** The id of the process; see `nodes.ts`. */
  readonly node: string
}

export interface StatementRequest {
  readonly id: number
  /** Begins a transaction first; when that fails the statement does not run. */
  readonly begin: Begin | null
  readonly sql: string
  readonly parameters: readonly SQLInputValue[]
}

/** A whole transaction of `procedures.ts`; its request and result are what the procedure takes and gives. */
export interface CallRequest {
  readonly id: number
  readonly call: ProcedureName
  readonly durability: Durability
  readonly request: unknown
}

/** Ends the transaction, or does nothing where the database has ended it already (a full disk does). */
export interface RollbackRequest {
  readonly id: number
  readonly rollback: true
}

export interface CloseRequest {
  readonly id: number
  readonly close: true
}

export type WorkerRequest = StatementRequest | CallRequest | RollbackRequest | CloseRequest

export interface StatementResult {
  readonly rows: readonly Readonly<Record<string, SQLOutputValue>>[]
  readonly changes: number
  readonly insertedKey: number
}

/** SQLite's own error by its extended result code, or one that a procedure threw by its `StoreErrorCode`. */
export interface WorkerFailure {
  readonly message: string
  readonly errcode: number | null
  readonly code: StoreErrorCode | null
}

export type WorkerReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: WorkerFailure }
  /** The commits of all calls up to this one are on the disk. */
  | { readonly onDisk: number }

/** Told once after start: the connection is open, or why not. `locked`: another process has the database. */
export type WorkerGreeting =
  | { readonly ready: true }
  | { readonly ready: false; readonly locked: boolean; readonly failure: WorkerFailure }
