import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { runStoreConformance } from '#test/conformance/store.ts'

runStoreConformance('SQLite', openSqliteTestStore)
