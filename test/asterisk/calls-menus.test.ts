/** Callers in menus and ring groups, and calls that somebody else takes. */
import { testCalls } from '#test/asterisk/live-calls.ts'
import { scenarios } from '#test/asterisk/scenarios.ts'

testCalls([...scenarios.ivr, ...scenarios.ringGroup, ...scenarios.pickUp])
