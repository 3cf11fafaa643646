import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'
import { runQueueConformance } from '#test/conformance/queue.ts'

runQueueConformance('PostgreSQL', openPostgresTestStore)
