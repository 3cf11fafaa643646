import type { Bench } from '#bench/bench.ts'
import { isolation } from '#bench/isolation.ts'
import { throughput } from '#bench/throughput.ts'

export const benches: readonly Bench[] = [
  {
    name: 'throughput',
    title: 'events delivered per second ÷ POST loop, SQLite',
    reach: '>= 0.6',
    run: throughput,
  },
  {
    name: 'isolation',
    title: 'p99 of healthy webhooks with a tenth hanging ÷ with none',
    reach: '<= 1.5',
    run: isolation,
  },
]
