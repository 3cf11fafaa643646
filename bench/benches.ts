import { backlog } from '#bench/backlog.ts'
import type { Bench } from '#bench/bench.ts'
import { capture } from '#bench/capture.ts'
import { crash } from '#bench/crash.ts'
import { growth } from '#bench/growth.ts'
import { isolation } from '#bench/isolation.ts'
import { latency } from '#bench/latency.ts'
import { settings } from '#bench/settings.ts'
import { throughput, throughputPostgres } from '#bench/throughput.ts'

export const benches: readonly Bench[] = [
  {
    name: 'throughput',
    title: 'events delivered per second ÷ POST loop, SQLite',
    reach: '>= 0.6',
    run: throughput,
  },
  {
    name: 'throughput-postgres',
    title: 'the same on PostgreSQL, one node',
    reach: '>= 0.35',
    run: throughputPostgres,
  },
  {
    name: 'isolation',
    title: 'p99 of healthy webhooks with a tenth hanging ÷ with none',
    reach: '<= 1.5',
    run: isolation,
  },
  {
    name: 'backlog',
    title: 'drained per second with 1,000,000 pending ÷ POST loop',
    reach: '>= 0.5, <= 400 MB',
    run: backlog,
  },
  {
    name: 'growth',
    title: 'events per second with 5,000,000 attempts, or 10,000 webhooks ÷ without',
    reach: '>= 0.85',
    run: growth,
  },
  {
    name: 'settings',
    title: 'events per second with filters, headers, mapped payload ÷ plain request',
    reach: '>= 0.7',
    run: settings,
  },
  {
    name: 'latency',
    title: 'dialplan step to request, through Offhook ÷ by CURL(), 20 calls/s',
    reach: '<= 2, p99 <= 3',
    run: latency,
  },
  {
    name: 'crash',
    title: 'events lost by 50 times kill -9 under load',
    reach: '0',
    run: crash,
  },
  {
    name: 'capture',
    title: 'events lost or told twice: Asterisk, 20 calls/s, a kill -9 and a cut line',
    reach: '0',
    run: capture,
  },
]
