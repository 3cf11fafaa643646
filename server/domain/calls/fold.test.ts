/**
 * Rows that no PBX would write in this order. Capture tries a batch again until it commits, so a row that the fold
 * throws at would be the last one that is ever read of its PBX.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { foldRows } from '#server/domain/calls/fold.ts'
import type { CelRow, PbxRow } from '#server/domain/calls/rows.ts'
import { loadCalls, noCalls, saveCalls } from '#server/domain/calls/state.ts'

const anyOf = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const uniqueId = anyOf('pbx-1', 'pbx-2', 'pbx-3', 'pbx-4')

/** Names that every JavaScript object has are names like others to whoever writes a dialplan. */
const inherited = ['__proto__', 'constructor', 'toString'] as const

const extra: fc.Arbitrary<CelRow['extra']> = fc.oneof(
  fc.constant({}),
  fc.record({
    extra: anyOf(
      'did=1001',
      'user=201&kind=int&to=202',
      'user=201&kind=out&to=0299',
      'queue=sales&status=TIMEOUT',
      'rg=all',
      'ivr=main&option=i:9',
      'file=/x/a.wav&bytes=1000&mailbox=201&status=SUCCESS',
      'name=crm&__proto__=x&constructor=y',
      '%%%=&=',
    ),
  }),
  fc.record({ bridge_id: anyOf('b1', 'b2') }),
  fc.record({ hangupcause: anyOf(0, 16, 17, 19, 21, 26, 127), hangupsource: anyOf('', 'PJSIP/1') }),
  fc.record({ pickup_channel_uniqueid: uniqueId }),
  fc.record({ channel2_uniqueid: uniqueId, transfer_target_channel_uniqueid: uniqueId }),
)

const celTypes = [
  ...['CHAN_START', 'CHAN_END', 'ANSWER', 'HANGUP', 'BRIDGE_ENTER', 'BRIDGE_EXIT', 'APP_START'],
  ...['APP_END', 'PICKUP', 'FORWARD', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'LINKEDID_END'],
]
const markNames = [
  ...['INBOUND', 'USERCALL', 'LEG_USER', 'LEG_EXT', 'LEAD', 'IVR_ENTER', 'IVR_OPTION', 'DIVERT'],
  ...['QUEUE_ENTER', 'QUEUE_LEAVE', 'RG_ENTER', 'RG_LEAVE', 'TRANSFER_TO', 'REC_START', 'REC_END'],
  ...['VOICEMAIL', 'COMPONENT', 'END'],
].map((name) => `PBX_${name}`)

const celRow: fc.Arbitrary<CelRow> = fc.record({
  kind: fc.constant('cel' as const),
  type: fc.oneof(anyOf('CHAN_START', 'USER_DEFINED'), anyOf(...celTypes, ...inherited)),
  mark: anyOf('', ...markNames, ...inherited),
  at: fc.nat(600_000).map((ms) => 1_795_000_000_000 + ms),
  callerName: anyOf('', 'Anna'),
  callerNumber: anyOf('', '0288', 'anonymous'),
  extension: anyOf('s', '201', '1001'),
  context: anyOf('from-trunk', 'from-users'),
  channel: anyOf('PJSIP/201-1', 'PJSIP/carrier-2', 'Local/201@x-1;1', 'Local/201@x-1;2'),
  app: anyOf('Dial', 'Queue', 'Voicemail'),
  appData: anyOf('PJSIP/201,20', 'sales,,', '201@default', 'PJSIP/0299@carrier'),
  uniqueId,
  linkedId: uniqueId,
  peer: fc.constant(''),
  extra,
})

const row: fc.Arbitrary<PbxRow> = fc.oneof(
  { weight: 20, arbitrary: celRow },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('queue_log' as const),
      at: fc.nat(600_000).map((ms) => 1_795_000_000_000 + ms),
      uniqueId,
      queue: fc.constant('sales'),
      agent: fc.constant('NONE'),
      event: anyOf('ENTERQUEUE', 'CONNECT', 'ABANDON', 'QUEUESTART', ...inherited),
      data: fc.constant(['', '0288', '1']),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('channels_gone' as const),
      at: fc.constant(1_795_000_600_000),
      uniqueIds: fc.array(uniqueId),
    }),
  },
)

test('whatever comes, the fold goes on, and no sequence has a gap', () => {
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 8 }), { maxLength: 6 }), (batches) => {
      let state = noCalls
      const started = new Set<string>()
      const last = new Map<string, number>()
      for (const batch of batches) {
        // An id names one channel for ever: it starts once.
        const rows = batch.filter((r) => {
          if (r.kind !== 'cel' || r.type !== 'CHAN_START') return true
          return !started.has(r.uniqueId) && started.add(r.uniqueId)
        })
        const folded = foldRows(state, rows)
        for (const { callId, sequence } of folded.facts) {
          expect(sequence).toBe((last.get(callId) ?? 0) + 1)
          last.set(callId, sequence)
        }
        const saved = saveCalls(folded.state)
        state = loadCalls(saved.calls.values(), saved.rest)
      }
    }),
    { numRuns: 1_000 },
  )
})
