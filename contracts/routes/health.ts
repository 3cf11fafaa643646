import { Health, Readiness } from '#contracts/health.ts'
import { route } from '#contracts/route.ts'

export const healthRoutes = {
  healthz: route({
    method: 'GET',
    path: '/healthz',
    tag: 'Health',
    summary: 'The process lives and its event loop turns.',
    guard: 'none',
    answer: Health,
  }),

  readyz: route({
    method: 'GET',
    path: '/readyz',
    tag: 'Health',
    summary: 'The database answers and takes writes: requests are welcome.',
    guard: 'none',
    answer: Readiness,
    problems: ['not_ready'],
  }),
} as const
