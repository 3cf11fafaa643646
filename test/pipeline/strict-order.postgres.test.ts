import { startApi } from '#test/api/start-api.ts'
import { createTestDatabase } from '#test/conformance/postgres-test-store.ts'
import { runStrictOrder } from './strict-order.ts'

runStrictOrder(async () => {
  await using parts = new AsyncDisposableStack()
  const database = parts.use(await createTestDatabase())
  const api = parts.use(await startApi(database))
  const opened = parts.move()
  return { ...api, [Symbol.asyncDispose]: async () => await opened.disposeAsync() }
})
