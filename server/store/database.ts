import type { Store } from '#server/store/store.ts'

/** A database that is open and has its tables: what differs between SQLite and PostgreSQL of a `Store`. */
export interface OpenDatabase
  extends Pick<
    Store,
    'node' | 'holder' | 'facts' | 'read' | 'write' | 'transact' | 'onDisk' | 'failed' | 'close'
  > {}
