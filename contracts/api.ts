/**
 * Every route of the REST API once, as data: address, guard, input, answer. `server/http/` serves this table,
 * `/api/openapi.json` is made from it, and a client can be typed by it.
 */
import type { Route } from '#contracts/route.ts'
import { accountRoutes } from '#contracts/routes/account.ts'
import { callsRoutes } from '#contracts/routes/calls.ts'
import { deliveriesRoutes } from '#contracts/routes/deliveries.ts'
import { eventsRoutes } from '#contracts/routes/events.ts'
import { healthRoutes } from '#contracts/routes/health.ts'
import { predefinedRoutes } from '#contracts/routes/predefined.ts'
import { previewsRoutes } from '#contracts/routes/previews.ts'
import { servicesRoutes } from '#contracts/routes/services.ts'
import { tlsRoutes } from '#contracts/routes/tls.ts'
import { webhooksRoutes } from '#contracts/routes/webhooks.ts'

export const api = {
  ...servicesRoutes,
  ...webhooksRoutes,
  ...previewsRoutes,
  ...predefinedRoutes,
  ...tlsRoutes,
  ...accountRoutes,
  ...deliveriesRoutes,
  ...eventsRoutes,
  ...callsRoutes,
  ...healthRoutes,
} as const satisfies Record<string, Route>

export type RouteName = keyof typeof api
