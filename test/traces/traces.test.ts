import { describe, expect, test } from 'vitest'
import { eventCatalogue } from '#contracts/events/catalogue.ts'
import { checkCalls, checkSequences } from '#test/traces/check-calls.ts'
import { expectedCalls } from '#test/traces/expected/expected-calls.ts'
import { deriveTrace, traces } from '#test/traces/read-trace.ts'

test('every recorded call has its expected events', () => {
  expect(Object.keys(expectedCalls).sort()).toEqual([...traces].sort())
})

describe.each(traces)('%s', (trace) => {
  test('gives the expected events', async () => {
    const { events, warnings } = await deriveTrace(trace)
    expect(warnings).toEqual([])
    checkCalls(events, expectedCalls[trace] ?? [])
  })

  test('gives events that their schemas hold, with unique ids and a sequence without gaps', async () => {
    const { events } = await deriveTrace(trace)
    for (const event of events) {
      expect(eventCatalogue[event.type].schema.strict().parse(event)).toEqual(event)
    }
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length)
    checkSequences(events)
  })
})
