import { expect, test } from 'vitest'
import { api } from '#contracts/api.ts'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { problems } from '#contracts/problem.ts'
import { openApiDocument } from '#server/http/openapi.ts'

type Json = Record<string, unknown>
const document = openApiDocument('1.2.3') as {
  paths: Record<
    string,
    Record<string, { operationId: string; parameters: Json[]; responses: Json }>
  >
  components: { schemas: Record<string, Json> }
}

function* referencesIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const part of value) yield* referencesIn(part)
  else if (typeof value === 'object' && value !== null) {
    for (const [key, part] of Object.entries(value)) {
      if (key === '$ref') yield String(part)
      else yield* referencesIn(part)
    }
  }
}

test('every route of the contract is in the document, under its name', () => {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  expect(operations.map((o) => o.operationId).toSorted()).toEqual(Object.keys(api).toSorted())
})

test('every reference leads to a component, and none to a schema of its own', () => {
  const references = new Set(referencesIn(document))
  expect(references.size).toBeGreaterThan(20)
  for (const reference of references) {
    expect(reference).toMatch(/^#\/components\/schemas\/\w+$/)
    expect(document.components.schemas).toHaveProperty(reference.split('/').at(-1) ?? '')
  }
})

test('what a creation may leave out is required in the reply', () => {
  const required = (name: string) => document.components.schemas[name]?.required
  expect(required('WebhookDraft')).toEqual(['name', 'url', 'triggers'])
  expect(required('Webhook')).toContain('retries')
  expect(document.components.schemas.WebhookDraft?.additionalProperties).toBe(false)
})

test('an event is one of the shapes of the catalogue', () => {
  const { oneOf } = document.components.schemas.Event as { oneOf: unknown[] }
  expect(oneOf).toHaveLength(eventTypes.length)
  expect(document.components.schemas.CallInboundAnswered).toMatchObject({
    properties: { type: { const: 'call.inbound.answered' } },
  })
})

test('parameters, headers and problems of a change', () => {
  const change = document.paths['/api/v1/webhooks/{id}']?.patch
  expect(change?.parameters.map((p) => p.name)).toEqual(['id', 'If-Match'])
  expect(Object.keys(change?.responses ?? {})).toEqual(
    expect.arrayContaining(['200', '400', '401', '404', '412', '413', '415', '422', '500']),
  )
})

test('every code that routes answer with is told by some of them', () => {
  const told = JSON.stringify(document.paths)
  // Of no route: no such address, no such method, or refused before there is a request.
  const before = ['route_not_found', 'method_not_allowed', 'headers_too_large']
  const untold = Object.keys(problems).filter((code) => !told.includes(`\`${code}\``))
  expect(untold.toSorted()).toEqual(before.toSorted())
})

test('every parameter of a query says what it is', () => {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  const silent = operations.flatMap(({ operationId, parameters }) =>
    parameters
      .filter(({ in: place, schema }) => place === 'query' && !(schema as Json).description)
      .map(({ name }) => `${operationId} ${name}`),
  )
  expect(silent).toEqual([])
})
