import { startApi } from '#test/api/start-api.ts'
import { runStrictOrder } from './strict-order.ts'

runStrictOrder(startApi)
