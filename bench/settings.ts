/**
 * What settings cost: events per second of webhooks that have them ÷ of webhooks with the plain request. Both engines take
 * turns in short rounds and do the same else: accept, match, sign, send, write down.
 */
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { startChild } from '#bench/child.ts'
import type { EngineHandlers, EngineSetup } from '#bench/engine-process.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import { engineRound } from '#bench/rounds.ts'
import { scratchFolder } from '#bench/scratch-folder.ts'
import { rounded } from '#bench/statistics.ts'
import { takeTurns } from '#bench/turns.ts'

const origins = 20

type Settings = NonNullable<EngineSetup['webhooks'][number]['settings']>

const field = (key: string, path: string) => ({ key, field: path, value: null })

/** As a CRM or a billing system has it; the receiver looks for the event's id in the body. */
const formOfACrm: Settings = {
  // All let through: an event that is stopped costs less than one that goes out.
  filters: {
    ...{ call_types: ['inbound', 'outbound'], numbers: ['+61290001001', '1002'] },
    ...{ users: [], extensions: [], queues: [], ring_groups: [], ivrs: [], ivr_options: [] },
    ...{ statuses: ['answered'], min_duration: 1 },
  },
  headers: [
    { name: 'X-Caller', value: '{{ call.source.raw }}', secret: false },
    { name: 'X-Source', value: 'offhook', secret: false },
  ],
  authentication: {
    type: 'token',
    token: 'token-of-a-crm',
    header: 'Authorization',
    prefix: 'Bearer',
  },
  payload: {
    style: 'mapped',
    fields: [
      field('id', 'id'),
      field('event', 'type'),
      field('call', 'call.uuid'),
      field('caller.number', 'call.source.number'),
      field('caller.name', 'call.source.name'),
      field('dialled', 'call.destination.raw'),
      field('agent', 'user.name'),
      field('extension', 'user.extension_number'),
      field('started', 'call.started_at'),
      field('answered', 'call.answered_at'),
      field('queue', 'queue.name'),
      { key: 'source', field: null, value: 'offhook' },
    ],
    nested: true,
    absent: 'null',
    time_format: 'yyyy-MM-dd HH:mm:ss',
    time_zone: 'Australia/Sydney',
  },
}

const templated = (template: string): Settings => ({
  payload: { style: 'template', template, partials: {}, content_type: 'application/json' },
})

const variants: Readonly<Record<string, Settings>> = {
  mapped: formOfACrm,
  template: templated(
    '{"id": "{{ id }}", "from": "{{ call.source.raw }}"{% if user %}, "agent": {{ user.name | json }}{% endif %}}',
  ),
  template_with_loop: templated(
    '{"id": "{{ id }}", "legs": [{% for leg in legs %}{{ leg.name | json }}{% unless forloop.last %},{% endunless %}{% endfor %}]}',
  ),
}

export async function settings(options: BenchOptions): Promise<BenchResult> {
  const compared: Record<string, Awaited<ReturnType<typeof compare>>> = {}
  for (const [name, own] of Object.entries(variants)) {
    options.tell(name)
    compared[name] = await compare(own, options)
  }
  return {
    name: 'settings',
    value: compared.mapped?.ratio.median ?? Number.NaN,
    unit: '× plain request',
    details: { ...compared, lost: 0, repeated: 0, load_average: rounded(loadavg()[0] ?? 0) },
  }
}

async function compare(own: Settings, { quick, tell }: BenchOptions) {
  await using folder = await scratchFolder()
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  await using base = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await using other = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  const urls = await receiver.call('listen', { count: origins, kind: 'http' })
  for (const engine of [base, other]) {
    const of = engine === base ? {} : own
    await engine.call('open', folder.database(engine === base ? 'plain' : 'set'))
    await engine.call('create', {
      webhooks: urls.map((url) => ({ url: `${url}/ok`, settings: of })),
    })
    await engine.call('start', undefined)
    await engineRound({ receiver, engine }, quick ? 1_200 : 4_980)
  }
  return await takeTurns({ receiver, base, other }, quick, tell)
}
