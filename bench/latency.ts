/**
 * How long after a step of the dialplan the request is at the receiver: through Offhook ÷ by CURL() at the same point,
 * for the same calls, to the same receiver. CURL() writes nothing down and holds the call up until it is answered;
 * Offhook does neither.
 */
import { readFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { type CurlPbx, startCurlPbx } from '#bench/curl-pbx.ts'
import { legsOf, type Step } from '#bench/latency-legs.ts'
import { percentile, rounded } from '#bench/statistics.ts'
import { parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { amiUsername } from '#server/pbx/asterisk/config/site.ts'
import { createService, createWebhook, newSecret } from '#test/asterisk/stack.ts'
import { freeUdpPort } from '#test/support/free-port.ts'
import { startOffhook } from '#test/support/offhook-process.ts'
import { type Receiver, startReceiver } from '#test/support/receiver.ts'
import { startCaller } from '#test/support/sipp.ts'
import { answered, awaitHangUp } from '#test/support/sipp-scenario.ts'

const perSecond = 20
/** Calls before these are not counted: programs are still being compiled, files not yet read. */
const unmeasured = 60

export async function latency({ quick, tell }: BenchOptions): Promise<BenchResult> {
  const calls = unmeasured + perSecond * (quick ? 15 : 60)
  const secret = newSecret()
  await using receiver = await startReceiver({ secret })
  const callerPort = await freeUdpPort()
  await using pbx = await startCurlPbx(callerPort, `${receiver.url}curl`)
  await using offhook = await startOffhook()
  await createWebhook(offhook, receiver, null, {
    secret,
    triggers: ['webhook_component_event', 'service.link.up'],
  })
  await createService(offhook, {
    name: 'curl',
    friendly_name: 'With CURL()',
    connection: attachedTo(pbx),
  })
  await receiver.waitFor((all) => all.length > 0, 'the link to the PBX', 60_000)
  tell('Asterisk runs, Offhook is attached')

  const timeoutSeconds = calls / perSecond + 60
  const anna = { pbxPort: pbx.sipPort, number: '0301234567', name: 'Anna Extern', to: '1001' }
  const options = { port: callerPort, calls, rate: perSecond, timeoutSeconds }
  await using caller = await startCaller(anna, [answered, awaitHangUp], options)
  await caller.finished
  await receiver.waitFor((all) => all.length >= 1 + 2 * calls, 'a request of each kind per call')

  const times = await timesOf(pbx, receiver, calls)
  const measured = times.slice(unmeasured)
  const legs = await legsOf(offhook, measured)
  const offhookMs = measured.map((call) => call.arrivedAt - call.markedAt)
  const curlMs = measured.map((call) => call.curlAt - call.markedAt)
  const ratioAt = (p: number) => rounded(percentile(offhookMs, p) / percentile(curlMs, p))
  return {
    name: 'latency',
    value: ratioAt(0.5),
    unit: '× CURL(), p50',
    details: {
      p50_ratio: ratioAt(0.5),
      p99_ratio: ratioAt(0.99),
      offhook_ms: {
        p50: rounded(percentile(offhookMs, 0.5)),
        p99: rounded(percentile(offhookMs, 0.99)),
      },
      curl_ms: { p50: rounded(percentile(curlMs, 0.5)), p99: rounded(percentile(curlMs, 0.99)) },
      legs_ms: legs,
      calls: measured.length,
      calls_per_second: perSecond,
      lost: 0,
      load_average: rounded(loadavg()[0] ?? 0),
    },
  }
}

const attachedTo = (pbx: CurlPbx) => ({
  kind: 'asterisk_attached' as const,
  cel_path: pbx.folder.celFile,
  queue_log_path: pbx.folder.queueLogFile,
  recordings_path: null,
  voicemail_path: null,
  ami: { host: '127.0.0.1', port: pbx.amiPort, username: amiUsername, secret: pbx.amiSecret },
  trunks: ['trunk'],
})

interface CallTimes extends Step {
  /** When the request of CURL() arrived, epoch milliseconds. */
  readonly curlAt: number
}

/** In the order of the calls. Throws unless each call has one request of each kind, Offhook's signed. */
async function timesOf(pbx: CurlPbx, receiver: Receiver, calls: number): Promise<CallTimes[]> {
  const offhook = new Map<string, { readonly eventId: string; readonly arrivedAt: number }>()
  const curl = new Map<string, number>()
  for (const { path, at, event, verified, body } of receiver.requests) {
    const wall = performance.timeOrigin + at
    if (path === '/curl') curl.set(/^call=([^&]*)/.exec(body.toString())?.[1] ?? '', wall)
    else if (event?.type === 'webhook_component_event' && verified) {
      const call = String(event.component.parameters.call)
      offhook.set(call, { eventId: event.id, arrivedAt: wall })
    }
  }
  const marks = (await readFile(pbx.folder.celFile, 'utf8'))
    .split('\n')
    .map((line) => parseCelRow(line))
    .flatMap((parsed) =>
      'row' in parsed && parsed.row?.mark === 'PBX_COMPONENT' ? [parsed.row] : [],
    )
  if (marks.length !== calls || offhook.size !== calls || curl.size !== calls) {
    throw new Error(
      `${calls} calls: ${marks.length} marks, ${offhook.size} by Offhook, ${curl.size} by CURL()`,
    )
  }
  return marks.map(({ at, uniqueId }) => ({
    markedAt: at,
    ...(offhook.get(uniqueId) ?? { eventId: '', arrivedAt: Number.NaN }),
    curlAt: curl.get(uniqueId) ?? Number.NaN,
  }))
}
