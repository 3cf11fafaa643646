/** Callers who wait in a queue, and calls that are handed on. */
import { testCalls } from '#test/asterisk/live-calls.ts'
import { scenarios } from '#test/asterisk/scenarios.ts'

testCalls([...scenarios.queue, ...scenarios.transfer])
