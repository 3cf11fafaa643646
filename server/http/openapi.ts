/** The OpenAPI 3.1 document, made from the route table and the event catalogue. Pure. */
import { z } from 'zod'
import { api, type RouteName } from '#contracts/api.ts'
import { exportColumns, formatTypes } from '#contracts/export.ts'
import { Problem, type ProblemCode, problems } from '#contracts/problem.ts'
import { needsBody, type Route } from '#contracts/route.ts'
import { eventWebhooks } from '#server/http/event-webhooks.ts'
import { addEvents, type Components, type Json, schemaOf } from '#server/http/schemas.ts'

const given = (schema: z.ZodType) => !(schema instanceof z.ZodUndefined)

function parametersOf(route: Route, components: Components): readonly Json[] {
  const from = (schema: z.ZodType, place: 'path' | 'query') => {
    if (!given(schema)) return []
    const { properties, required } = schemaOf(schema, 'input', components)
    return Object.entries(properties as Record<string, Json>).map(([name, shape]) => ({
      name,
      in: place,
      required: ((required ?? []) as string[]).includes(name),
      schema: shape,
    }))
  }
  const header = (name: string, description: string) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  })
  const headers = []
  if (route.idempotent) {
    headers.push(
      header(
        'Idempotency-Key',
        'Any text up to 255 characters; a repetition has no second effect.',
      ),
    )
  }
  if (route.versionOf !== null && route.method === 'GET') {
    headers.push(header('If-None-Match', 'ETag that you have: 304 when it is still current.'))
  } else if (route.versionOf !== null && !route.idempotent) {
    headers.push(header('If-Match', 'ETag that you read: 412 when the object has changed since.'))
  }
  if (route.media !== null) {
    headers.push(header('Range', 'One range of bytes, as in bytes=0-65535; several: all is sent.'))
  }
  return [...from(route.params, 'path'), ...from(route.query, 'query'), ...headers]
}

/** Problem codes that a route can answer with, by status. */
function problemsOf(route: Route): ReadonlyMap<number, readonly ProblemCode[]> {
  // A database that is busy or away is told by `not_ready` on any route that asks it.
  const codes: ProblemCode[] = [...route.problems, 'invalid_request', 'internal']
  if (route.guard === 'api_key') codes.push('unauthorized')
  if (route.guard !== 'none' || given(route.params)) codes.push('not_ready')
  if (route.guard === 'agent_token') codes.push('agent_unauthorized')
  if (given(route.body)) {
    codes.push('invalid_json', 'body_too_large', 'unsupported_media_type')
  }
  if (route.method !== 'GET') codes.push('storage_full')
  if (given(route.body) || given(route.query)) codes.push('invalid_input')
  if (route.idempotent) codes.push('idempotency_in_progress', 'idempotency_key_reused')
  return Map.groupBy(new Set(codes), (code) => problems[code].status)
}

function contentOf(route: Route, components: Components): Json {
  if (route.media !== null) return { [route.media]: {} }
  const json = { 'application/json': { schema: schemaOf(route.answer, 'output', components) } }
  if (route.exported === null) return json
  const columns = exportColumns[route.exported].join(', ')
  const text = (description: string) => ({ schema: { type: 'string', description } })
  return {
    ...json,
    [formatTypes.csv]: text(`RFC 4180, all of the list, with the columns ${columns}.`),
    [formatTypes.ndjson]: text('All of the list, one item as JSON on each line.'),
  }
}

function responsesOf(route: Route, components: Components): Json {
  const success =
    given(route.answer) || route.media !== null
      ? {
          description: route.status === 201 ? 'Created.' : 'OK.',
          content: contentOf(route, components),
        }
      : { description: 'Done; no body.' }
  const failures = [...problemsOf(route)].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join('\n\n'),
      content: { 'application/problem+json': { schema: schemaOf(Problem, 'output', components) } },
    },
  ])
  const part = route.media !== null && {
    206: { description: 'The range that was asked for.', content: contentOf(route, components) },
  }
  return { [route.status]: success, ...part, ...Object.fromEntries(failures) }
}

function securityOf({ guard }: Route): readonly Json[] {
  if (guard === 'none') return []
  return [guard === 'api_key' ? { apiKey: [] } : { agentToken: [] }]
}

function operationOf(name: RouteName, route: Route, components: Components): Json {
  return {
    operationId: name,
    tags: [route.tag],
    summary: route.summary,
    security: securityOf(route),
    parameters: parametersOf(route, components),
    ...(given(route.body) && {
      requestBody: {
        required: needsBody(route),
        content: { 'application/json': { schema: schemaOf(route.body, 'input', components) } },
      },
    }),
    responses: responsesOf(route, components),
  }
}

/** The whole document, as `/api/openapi.json` serves it. `version` is Offhook's. */
export function openApiDocument(version: string): Json {
  const components: Components = {}
  const paths: Record<string, Json> = {}
  for (const [name, route] of Object.entries(api) as [RouteName, Route][]) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: operationOf(name, route, components),
    }
  }
  addEvents(components)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Offhook',
      version,
      summary: 'Turns what happens on a phone system into webhooks that arrive.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    webhooks: eventWebhooks(),
    components: {
      schemas: components,
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer' },
        agentToken: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
