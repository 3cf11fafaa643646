import { runQueueConformance } from '#test/conformance/queue.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'

runQueueConformance('SQLite', openSqliteTestStore)
