/** Calls that users make, to outside and to each other. */
import { testCalls } from '#test/asterisk/live-calls.ts'
import { scenarios } from '#test/asterisk/scenarios.ts'

testCalls([...scenarios.outboundAndInternal])
