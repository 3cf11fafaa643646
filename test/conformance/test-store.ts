import type { Store } from '#server/store/store.ts'

/** An empty store that leaves nothing behind. */
export interface TestStore extends AsyncDisposable {
  readonly store: Store
  /** What the database takes on the disk. */
  readonly bytes: () => Promise<number>
}

export type OpenTestStore = () => Promise<TestStore>
