import type { Kysely, Transaction } from 'kysely'
import type { Accepted, NewAcceptance } from '#server/store/accept.ts'
import type { Courier } from '#server/store/courier.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import type { Durability } from '#server/store/durability.ts'
import type { FlatFinish } from '#server/store/finish.ts'
import type { GroupCommit } from '#server/store/group-commit.ts'
import type { ProcedureName, ProcedureRequest, ProcedureResult } from '#server/store/procedures.ts'
import type { Tables } from '#server/store/schema.ts'
import type { SecretBox } from '#server/store/secrets.ts'

/** An open database. Everything in `server/store/` is a plain function with this as its first parameter. */
export interface Store {
  /** The id of this process among those on the database; see `nodes.ts`. */
  readonly node: string
  /**
   * What holds the leases that this process makes from now on: its id and a number. The number grows when nobody knows
   * whether a transaction was committed: what that leased is in no memory then, and must not be taken for what is.
   */
  readonly holder: () => string
  readonly facts: DialectFacts
  /** Committed state, on a connection of its own: a long list holds up no delivery. */
  readonly read: Kysely<Tables>
  /** Commits that are on disk when they return. */
  readonly write: Kysely<Tables>
  /** Runs a transaction of the hot path where the connection is; see `durability.ts` for when it returns. */
  readonly transact: <N extends ProcedureName>(
    name: N,
    durability: Durability,
    request: ProcedureRequest<N>,
  ) => Promise<ProcedureResult<N>>
  /** Resolves when all `soon` transactions that have returned are on the disk. Throws StoreError: they may not be. */
  readonly onDisk: () => Promise<void>
  readonly secrets: SecretBox
  readonly accepting: GroupCommit<NewAcceptance, Accepted>
  readonly finishing: GroupCommit<FlatFinish, boolean>
  /** Who is given what could be leased as soon as it was accepted; null: nobody, everything waits to be claimed. */
  courier: Courier | null
  /**
   * Calls `listener` whenever this process may have made a delivery due earlier than the lanes said, with the time (epoch
   * milliseconds) from which to look; returns how to stop.
   */
  readonly onDue: (listener: (from: number) => void) => () => void
  /** Without a time: from now on. */
  readonly ringDue: (from?: number) => void
  /** Throws StoreError when the database refuses writes: its disk is full, it is read-only, it does not answer. */
  readonly checkWrites: () => Promise<void>
  /** Rejects when the database is lost for good: the process should end and be started again. */
  readonly failed: Promise<never>
  /** Waits for what is under way, then closes the database. */
  readonly close: () => Promise<void>
}

export type Trx = Transaction<Tables>
/** Where a statement can run: in a transaction, or by itself. */
export type Db = Kysely<Tables>

/** What else belongs into the transaction that makes a `T`. */
export type Within<T> = (trx: Db, made: T) => Promise<void>

export const nothingMore = async (): Promise<void> => undefined

/** Looks at an object as it is, within the transaction that is about to change it; throws to leave it as it is. */
export type Check<T> = (present: T) => void

export const unchecked = (): void => undefined
