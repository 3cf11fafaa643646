/** Links to audio in the events of recorded calls. */
import { expect, test } from 'vitest'
import { foldRows } from '#server/domain/calls/fold.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { describe as describeEvent } from '#server/domain/events/describe.ts'
import { directoryOf } from '#server/domain/events/directory.ts'
import { readTraceRows } from '#test/traces/read-trace.ts'

const service = {
  uuid: '5f0c6a3e-4f1d-4c57-9a52-0d5c2c1a7b11',
  name: 'pbx1',
  friendly_name: 'Head office',
  type: 'hosted_pbx',
  country: null,
} as const

function eventsOf(trace: string) {
  const directory = directoryOf({ id: 'acc_1', name: 'main' }, service, null, (kind, id, at) =>
    [kind, id, at].join(' '),
  )
  const { facts } = foldRows(noCalls, readTraceRows(trace).cel, { trunks: new Set(['trunk']) })
  return facts.map((fact) => describeEvent(fact, directory, false))
}

test('the record of the call has the link of its recording’s own event', () => {
  const events = eventsOf('11-outbound-answered-recorded')
  const told = events.find(({ type }) => type === 'recording.outbound.completed')
  const url = told !== undefined && 'recording' in told ? told.recording.url : null
  expect(url).toBe(`recording ${told?.id} 1795359723218.669`)
  const ended = events.find(({ type }) => type === 'call.ended')
  expect(ended).toMatchObject({ call: { recording_url: url } })
})

test('a message has a link, and is no recording of the call', () => {
  const events = eventsOf('03-inbound-noanswer-voicemail')
  const told = events.find(({ type }) => type === 'voicemail.left')
  expect(told).toMatchObject({
    voicemail: { audio_url: expect.stringMatching(`^voicemail ${told?.id} \\d+`) },
  })
  const ended = events.find(({ type }) => type === 'call.ended')
  expect(ended).toMatchObject({ call: { recording_url: null } })
})

test('what was recorded and dropped, for nobody talked, has none', () => {
  const events = eventsOf('12-outbound-busy')
  expect(events.at(-1)).toMatchObject({ type: 'call.ended', call: { recording_url: null } })
})
