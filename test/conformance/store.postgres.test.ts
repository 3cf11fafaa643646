import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'
import { runStoreConformance } from '#test/conformance/store.ts'

runStoreConformance('PostgreSQL', openPostgresTestStore)
