/** The documents of the events, held to the standards that they claim to follow, and to the samples. */
import asyncApiSchemas from '@asyncapi/specs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { expect, test } from 'vitest'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { asyncApiDocument } from '#server/http/asyncapi.ts'
import { openApiDocument } from '#server/http/openapi.ts'
import { eventName, type Json } from '#server/http/schemas.ts'

const openApi = openApiDocument('1.2.3') as {
  webhooks: Record<string, { post: { requestBody: { content: Json } } }>
  components: { schemas: Record<string, Json> }
}
const asyncApi = asyncApiDocument('1.2.3') as {
  channels: { receiver: { messages: Json } }
  components: { messages: Record<string, Json>; schemas: Record<string, Json> }
}

test('the OpenAPI document is one by the schema of OpenAPI 3.1', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(openApi))).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
})

test('the AsyncAPI document is one by the schema of AsyncAPI 3.0', () => {
  // The published schema brings draft-07 with it.
  const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false })
  formats.default(ajv)
  const validate = ajv.compile(asyncApiSchemas.schemas['3.0.0'] as Json)
  expect(validate(asyncApi), JSON.stringify(validate.errors?.slice(0, 5))).toBe(true)
})

test('both have every type of event', () => {
  expect(Object.keys(openApi.webhooks)).toEqual(eventTypes)
  expect(Object.keys(asyncApi.channels.receiver.messages)).toEqual(eventTypes.map(eventName))
  expect(Object.values(asyncApi.components.messages).map(({ name }) => name)).toEqual(eventTypes)
})

test.each([
  ['OpenAPI', openApi.components.schemas],
  ['AsyncAPI', asyncApi.components.schemas],
])('the samples are what the schemas of the %s document say', (_, schemas) => {
  const ajv = new Ajv2020({ strict: false })
  formats.default(ajv)
  ajv.addSchema({ $id: 'https://offhook.example/document', components: { schemas } })
  for (const type of eventTypes) {
    const validate = ajv.compile({
      $ref: `https://offhook.example/document#/components/schemas/${eventName(type)}`,
    })
    expect(validate(eventSamples[type]), `${type}: ${JSON.stringify(validate.errors)}`).toBe(true)
    const { occurred_at: _at, ...without } = eventSamples[type]
    expect(validate(without)).toBe(false)
  }
})
