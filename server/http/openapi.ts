/** The OpenAPI 3.1 document, made from the route table and the event catalogue. Pure. */
import { z } from 'zod'
import { api, type RouteName } from '#contracts/api.ts'
import { eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { exportColumns, formatTypes } from '#contracts/export.ts'
import { Problem, type ProblemCode, problems } from '#contracts/problem.ts'
import type { Route } from '#contracts/route.ts'

type Json = Record<string, unknown>
type Components = Record<string, Json>

const given = (schema: z.ZodType) => !(schema instanceof z.ZodUndefined)

/** JSON Schema as people read it: without the bounds of safe integers, which say nothing about the field. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  return z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      // A reply may gain fields; a client that refuses them would break with every release.
      if (io === 'output' && jsonSchema.additionalProperties === false) {
        delete jsonSchema.additionalProperties
      }
    },
  }) as Json
}

/**
 * The schema with its named parts moved to `components`. What a caller may leave out differs from what a reply
 * always has, so a name on the way in gets `Input` appended, unless it can only be one (`…Draft`, `…Change`).
 */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Components): Json {
  const nameOf = (name: string) =>
    io === 'input' && !/(Draft|Change)$/.test(name) ? `${name}Input` : name
  const moved = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(moved)
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, value]) =>
        key === '$ref' && typeof value === 'string'
          ? [key, `#/components/schemas/${nameOf(value.replace('#/$defs/', ''))}`]
          : [key, moved(value)],
      ),
    )
  }
  const { $schema: _, $defs, ...body } = jsonSchemaOf(schema, io)
  for (const [name, part] of Object.entries(($defs ?? {}) as Json)) {
    components[nameOf(name)] = moved(part) as Json
  }
  return moved(body) as Json
}

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
  return [...from(route.params, 'path'), ...from(route.query, 'query'), ...headers]
}

/** Problem codes that a route can answer with, by status. */
function problemsOf(route: Route): ReadonlyMap<number, readonly ProblemCode[]> {
  const codes: ProblemCode[] = [...route.problems, 'internal']
  if (route.guard === 'api_key') codes.push('unauthorized')
  if (route.guard === 'agent_token') codes.push('agent_unauthorized')
  if (given(route.body)) {
    codes.push('invalid_json', 'body_too_large', 'unsupported_media_type', 'storage_full')
  }
  if (given(route.body) || given(route.query)) codes.push('invalid_input')
  if (route.idempotent) codes.push('idempotency_in_progress', 'idempotency_key_reused')
  return Map.groupBy(codes, (code) => problems[code].status)
}

function contentOf(route: Route, components: Components): Json {
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
  const success = given(route.answer)
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
  return { [route.status]: success, ...Object.fromEntries(failures) }
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
        required: true,
        content: { 'application/json': { schema: schemaOf(route.body, 'input', components) } },
      },
    }),
    responses: responsesOf(route, components),
  }
}

/** The shape of each event under its own name, `call.inbound.received` as `CallInboundReceived`. */
function addEvents(components: Components): void {
  const mapping: Record<string, string> = {}
  for (const type of eventTypes) {
    const name = type.replace(/(?:^|[._])(\w)/g, (_, letter: string) => letter.toUpperCase())
    components[name] = schemaOf(eventCatalogue[type].schema, 'output', components)
    mapping[type] = `#/components/schemas/${name}`
  }
  components.Event = {
    description: 'An event in the native form.',
    oneOf: Object.values(mapping).map(($ref) => ({ $ref })),
    discriminator: { propertyName: 'type', mapping },
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
    components: {
      schemas: components,
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer' },
        agentToken: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
