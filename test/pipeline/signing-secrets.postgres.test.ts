import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'
import { runSigningSecrets } from './signing-secrets.ts'

runSigningSecrets(openPostgresTestStore)
