/** Offhook is away for hours, and the PBX's record grows meanwhile: recorded calls stand in for those hours. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkNothingLost, eventsOf } from '#test/asterisk/arrivals.ts'
import { allDelivered, createService, createWebhook, newSecret } from '#test/asterisk/stack.ts'
import { startOffhook } from '#test/support/offhook-process.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import { expectedCalls } from '#test/traces/expected/expected-calls.ts'
import { tracesFolder } from '#test/traces/read-trace.ts'

/** In the order in which they were recorded: the queue_log must not go back in time. */
const missed = [
  '01-inbound-answered-caller-hangup',
  '02-inbound-answered-callee-hangup',
  '03-inbound-noanswer-voicemail',
  '04-inbound-ivr-option2-answered',
  '06-queue-rna-201-then-202-answers',
  '07-queue-abandoned',
  '08-queue-timeout',
  '09-ringgroup-answered-by-202',
  '10-ringgroup-noanswer',
  '11-outbound-answered-recorded',
  '12-outbound-busy',
  '13-outbound-cancelled',
  '14-pickup-201-by-202',
  '15-internal-201-to-202',
  '16-blind-transfer-201-to-202',
  '17-attended-transfer-dtmf',
  '18-inbound-recorded',
  '19-diverted-externally-dialplan',
  '24-20-concurrent',
  '26-component-event',
]

const read = (trace: string, file: string) => readFile(join(tracesFolder, trace, file), 'utf8')

test('twenty recordings, written while Offhook was stopped, arrive backfilled', async () => {
  await using parts = new AsyncDisposableStack()
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-record-')), (path) =>
    rm(path, { recursive: true, force: true }),
  )
  const cel = join(folder, 'cel.csv')
  const queueLog = join(folder, 'queue_log')
  // History from before the PBX was attached to, which nobody asked for.
  await writeFile(cel, await read('29-pickup-failed', 'cel.csv'))
  await writeFile(queueLog, '')
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const offhook = parts.use(await startOffhook())
  await createWebhook(offhook, receiver, null, { secret })
  await createService(offhook, {
    name: 'attached',
    friendly_name: 'Attached',
    connection: {
      kind: 'asterisk_attached',
      cel_path: cel,
      queue_log_path: queueLog,
      recordings_path: null,
      voicemail_path: null,
      ami: null,
      trunks: ['trunk'],
    },
  })
  await receiver.waitFor((all) => all.length > 0, 'the link being up')

  expect(await offhook.stop()).toBe(0)
  for (const trace of missed) {
    await appendFile(cel, await read(trace, 'cel.csv'))
    await appendFile(queueLog, await read(trace, 'queue_log'))
  }
  const seen = receiver.requests.length
  await offhook.start()
  const expected = missed.flatMap((trace) => expectedCalls[trace] ?? [])
  const ends = expected.filter((call) => 'status' in call).length
  await receiver.waitFor(
    (all) => all.filter(({ event }) => event?.type === 'call.ended').length >= ends,
    `the end of ${ends} calls`,
    60_000,
  )
  await allDelivered({ offhook })

  const told = eventsOf(receiver.requests.slice(seen))
  const ofCalls = told.filter((event) => event.sequence !== null)
  checkCalls(ofCalls, expected)
  expect(ofCalls.filter((event) => !event.backfilled)).toEqual([])
  expect(told.find((event) => event.type === 'service.link.up')).toMatchObject({
    link: { backfilled_events: ofCalls.length },
  })
  expect(await checkNothingLost({ offhook, receiver })).toEqual({ repeated: 0 })
})
