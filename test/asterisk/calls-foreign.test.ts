/** Calls on a PBX that somebody else configured, without a mark in its dialplan. */
import { foreignScenarios } from '#test/asterisk/foreign-scenarios.ts'
import { startForeignStack } from '#test/asterisk/foreign-stack.ts'
import { testCalls } from '#test/asterisk/live-calls.ts'

testCalls(foreignScenarios, startForeignStack)
