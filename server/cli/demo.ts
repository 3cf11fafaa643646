import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Event } from '#contracts/events/catalogue.ts'
import { openApp } from '#server/app.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { type Api, apiAt, demoService } from '#server/cli/demo-api.ts'
import { type DemoReceiver, startDemoReceiver } from '#server/cli/demo-receiver.ts'
import { clearEarlierDemo, openDemoWebhook } from '#server/cli/demo-webhook.ts'
import { openDataFolder, readKeyFile } from '#server/data-folder.ts'
import { openLog } from '#server/log.ts'
import { StartError } from '#server/start-error.ts'

export const demoHelp = `offhook demo

Shows the whole story with real calls: starts a small receiver, makes a webhook, has the phones of the demo PBX called,
and prints each request as it arrives, with its verified signature. Takes about a minute. Uses the Offhook that runs,
or starts one for as long as it takes.
`

/** A call of the demo. The last digit of the caller decides how phones behave, see `demo-world.ts`. */
interface Story {
  readonly title: string
  readonly call: {
    readonly from: string
    readonly from_name: string
    readonly to: string
    readonly keys?: string
    readonly talk_seconds?: number
  }
}

const stories: readonly Story[] = [
  {
    title: 'Anna calls Alice, who answers.',
    call: { from: '0288881230', from_name: 'Anna', to: '1001', talk_seconds: 3 },
  },
  {
    title: 'Ben calls the menu and presses 2. Bob answers.',
    call: { from: '0288881231', from_name: 'Ben', to: '1002', keys: '2', talk_seconds: 5 },
  },
  {
    title: 'Cleo calls the sales queue. Alice does not answer, Bob does.',
    call: { from: '0288881236', from_name: 'Cleo', to: '1003', talk_seconds: 11 },
  },
  {
    title: 'Dan calls Alice, who does not answer. He leaves a message.',
    call: { from: '0288881238', from_name: 'Dan', to: '1001', talk_seconds: 16 },
  },
]

/** A queue that rings two phones and a voicemail greeting take their time. */
const storyTimeoutMs = 90_000

export async function runDemo(args: readonly string[], io: CommandIo): Promise<void> {
  parseArgs({ args: [...args], options: {} })
  await using parts = new AsyncDisposableStack()
  const { dataFolder, host, port } = io.config()
  const api = await reachApi(io, parts)
  const { path: keyPath } = await readKeyFile(dataFolder)
  const service = await demoService(api, { url: `http://${host}:${port}`, keyPath })
  await clearEarlierDemo(api, dataFolder)
  const receiver = parts.use(await startDemoReceiver())
  const { secret } = parts.use(
    await openDemoWebhook(api, { dataFolder, service, port: receiver.port }),
  )
  receiver.expectSecret(secret)
  await io.write(
    `A receiver listens on ${receiver.url}; the webhook "demo" sends it every event.\n`,
  )
  for (const story of stories) {
    io.signal.throwIfAborted()
    await tell(story, service, api, receiver, io)
  }
  await io.write(`\n${closing(receiver)}\n`)
}

/** The API of the Offhook that runs on this data folder, else of one that is started here and closed with `parts`. */
async function reachApi(io: CommandIo, parts: AsyncDisposableStack): Promise<Api> {
  const config = io.config()
  const running = `http://${config.host}:${config.port}`
  const { key } = await readKeyFile(config.dataFolder)
  if (key !== null && (await answers(running))) return apiAt(running, key)
  const first = existsSync(config.dataFolder) ? '' : ' The first time this takes a minute.'
  await io.write(`Starting Offhook with the demo PBX …${first}\n`)
  await openDataFolder(config.dataFolder)
  const log = parts.use(await openLog(config.logLevel, join(config.dataFolder, 'offhook.log')))
  const app = parts.use(
    await openApp({ config, log: log.logger, onProgress: io.warn, signal: io.signal }),
  )
  const own = await readKeyFile(config.dataFolder)
  if (own.key === null) {
    throw new StartError(
      'demo_failed',
      'There is no API key in the data folder; make one with "offhook keys create".',
    )
  }
  return apiAt(app.url, own.key)
}

async function answers(url: string): Promise<boolean> {
  return await fetch(`${url}/healthz`).then(
    (response) => response.ok,
    () => false,
  )
}

async function tell(
  story: Story,
  service: string,
  api: Api,
  receiver: DemoReceiver,
  io: CommandIo,
): Promise<void> {
  await io.write(`\n${story.title}\n`)
  await api('POST', `/services/${service}/test-calls`, story.call)
  const timeout = AbortSignal.timeout(storyTimeoutMs)
  const signal = AbortSignal.any([io.signal, timeout])
  for await (const { event, verified, delayMs } of receiver.requests(signal)) {
    if (!('call' in event)) continue
    if (event.call.source.raw !== story.call.from) continue
    const signature = verified ? 'signature verified' : 'SIGNATURE WRONG'
    const line = `${event.type.padEnd(26)} ${detail(event)}`
    await io.write(`  ${clock(event)}  ${line.padEnd(70)} ${signature}, ${delayMs} ms\n`)
    if (event.type === 'call.ended') return
  }
  io.signal.throwIfAborted()
  throw new StartError(
    'demo_timeout',
    'The call did not end in time; the log in the data folder says more.',
  )
}

function clock(event: Event): string {
  return event.occurred_at.slice(11, 23)
}

/** What a person wants to know of an event, in a few words. */
function detail(event: Event): string {
  switch (event.type) {
    case 'call.inbound.received':
      return `${event.call.source.name ?? event.call.source.raw} → ${event.call.destination.name ?? event.call.destination.raw}`
    case 'ivr.received':
      return `menu ${event.ivr.name}`
    case 'ivr.option_selected':
      return event.ivr.option === null ? 'no option' : `option ${event.ivr.option}`
    case 'user.inbound.completed':
      return `${event.user.name}: ${event.part.outcome.replaceAll('_', ' ')}`
    case 'queue.call.summary':
      return `${event.queue.name}: ${event.queue.outcome}, waited ${event.queue.wait_duration} s`
    case 'voicemail.left':
      return `mailbox ${event.voicemail.mailbox}, ${event.voicemail.duration} s`
    case 'call.missed':
      return event.reached === null ? '' : `came as far as ${event.reached.replaceAll('_', ' ')}`
    case 'call.ended':
      return `${event.call.status}, ${event.call.duration} s, hung up by ${event.call.hangup.initiator}`
    default:
      return 'user' in event ? (event.user?.name ?? '') : ''
  }
}

function closing(receiver: DemoReceiver): string {
  const { count, wrong, delays } = receiver.totals()
  const middle = delays.toSorted((a, b) => a - b)[Math.floor(delays.length / 2)] ?? 0
  const signatures = wrong === 0 ? 'all signatures verified' : `${wrong} SIGNATURES WRONG`
  return `${count} requests, ${signatures}; half of them arrived within ${middle} ms of the event on the PBX.`
}
