import { StoreError, type StoreErrorCode } from '#server/store/store-error.ts'

/** SQLSTATE codes and their classes (first two characters), https://www.postgresql.org/docs/current/errcodes-appendix.html */
const refusals: Readonly<Record<string, readonly [StoreErrorCode, string]>> = {
  '08': ['database_unreachable', 'The connection to PostgreSQL was lost.'],
  '28': ['database_failed', 'PostgreSQL refuses the login; check the user and password.'],
  '25006': [
    'database_not_writable',
    'PostgreSQL takes no changes: it is read-only, a standby perhaps.',
  ],
  '3D000': ['database_failed', 'PostgreSQL has no such database; create it first.'],
  '40001': ['database_busy', 'PostgreSQL could not tell two transactions apart.'],
  '40P01': ['database_busy', 'Two transactions waited for each other.'],
  '42P01': ['day_dropped', 'A table that was there is not.'],
  '42501': ['database_not_writable', 'The user of PostgreSQL may not do this.'],
  '53100': ['storage_full', 'The disk of PostgreSQL is full; nothing was changed.'],
  '53300': ['database_unreachable', 'PostgreSQL takes no more connections.'],
  '53': ['database_busy', 'PostgreSQL has run out of resources.'],
  '55P03': ['database_busy', 'Somebody else has kept a row locked for too long.'],
  '57014': ['database_busy', 'PostgreSQL did not answer in time.'],
  '57P01': ['database_unreachable', 'PostgreSQL is being stopped.'],
  '57P02': ['database_unreachable', 'PostgreSQL has crashed and is starting again.'],
  '57P03': ['database_unreachable', 'PostgreSQL is starting or stopping.'],
  XX001: ['database_corrupt', 'PostgreSQL says that its data is damaged; restore a backup.'],
  XX002: ['database_corrupt', 'PostgreSQL says that an index is damaged; restore a backup.'],
}

/** What Node and the driver say when there is nobody at the other end; they have no SQLSTATE. */
const unreachable =
  /ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|Connection terminated|connection timeout|timeout exceeded|Query read timeout|not queryable|client was closed/i

/** `where`: the database as a person may read it, without the password. */
export function postgresError(error: unknown, where: string): StoreError {
  if (error instanceof StoreError) return error
  const {
    code = '',
    message = String(error),
    constraint,
  } = error as Partial<Record<'code' | 'message' | 'constraint', string>>
  if (code === '23505' && constraint === 'service_name') {
    return new StoreError('name_taken', 'Another service of the account has that name.')
  }
  const known = refusals[code] ?? refusals[code.slice(0, 2)]
  const isNetwork = code.length !== 5 && unreachable.test(`${code} ${message}`)
  const [ours, says] =
    known ??
    (isNetwork
      ? (['database_unreachable', 'PostgreSQL cannot be reached.'] as const)
      : (['database_failed', 'The database refused a statement.'] as const))
  const detail = message === '' ? code : message
  return new StoreError(ours, `${says} (${where}: ${detail})`, { cause: error })
}
