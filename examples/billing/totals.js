/** Prints what has been billed. */
import { openCalls } from './calls.js'

const calls = openCalls(process.env.DATABASE ?? 'calls.db')
console.table(calls.totals())
calls.close()
