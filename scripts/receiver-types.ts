/** The types of the receiver library, made from the schemas of the events. */
import { compile } from 'json-schema-to-typescript'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { addEvents, type Components, eventName } from '#server/http/schemas.ts'

const moved = (json: string) => json.replaceAll('#/components/schemas/', '#/$defs/')

export async function receiverTypes(): Promise<string> {
  const components: Components = {}
  addEvents(components)
  delete components.Event
  const $defs = JSON.parse(moved(JSON.stringify(components))) as Components
  const schema = {
    $defs,
    title: 'OffhookEvent',
    description: 'An event in the native form; `type` tells which.',
    oneOf: eventTypes.map((type) => ({ $ref: `#/$defs/${eventName(type)}` })),
  }
  return await compile(schema as Parameters<typeof compile>[0], 'OffhookEvent', {
    bannerComment: '/* Made from contracts/events/ by `npm run docs`. */',
    additionalProperties: false,
    style: { semi: false, singleQuote: true, printWidth: 100 },
  })
}
