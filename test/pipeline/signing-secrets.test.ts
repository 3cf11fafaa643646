import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { runSigningSecrets } from './signing-secrets.ts'

runSigningSecrets(openSqliteTestStore)
