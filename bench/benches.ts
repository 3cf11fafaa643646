import type { Bench } from '#bench/bench.ts'
import { throughput } from '#bench/throughput.ts'

export const benches: readonly Bench[] = [
  {
    name: 'throughput',
    title: 'events delivered per second ÷ POST loop, SQLite',
    reach: '>= 0.6',
    run: throughput,
  },
]
