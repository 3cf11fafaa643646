/**
 * Every way in which the store refuses. `message` says in one sentence what is wrong and what to mend; callers tell
 * apart by `code`.
 */
export type StoreErrorCode =
  | 'database_in_use'
  | 'database_not_writable'
  | 'database_missing'
  | 'database_older'
  | 'database_newer'
  | 'database_corrupt'
  | 'database_busy'
  | 'database_unreachable'
  | 'database_failed'
  | 'storage_full'
  | 'secret_key_wrong'
  | 'name_taken'
  | 'invalid_cursor'
  | 'service_gone'
  | 'made_by_call_flow'
  | 'claim_lost'
  | 'capture_taken_over'
  | 'day_dropped'

export class StoreError extends Error {
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
  }
}

/** A fault of the database, which whatever is asked next will meet too; others may lie in what was asked. */
export const isRefusalOfAll = ({ code }: StoreError): boolean => refusalsOfAll.has(code)

const refusalsOfAll: ReadonlySet<StoreErrorCode> = new Set([
  'storage_full',
  'database_not_writable',
  'database_unreachable',
  'database_busy',
])
