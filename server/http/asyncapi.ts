/** The events as an AsyncAPI 3 document: what Offhook sends, for generators and catalogues of messages. Pure. */
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { requestHeaders } from '#server/http/event-webhooks.ts'
import { addEvents, type Components, eventName, type Json } from '#server/http/schemas.ts'

const headers: Json = {
  type: 'object',
  properties: Object.fromEntries(
    Object.entries(requestHeaders).map(([name, { description, example }]) => [
      name,
      { type: 'string', description, examples: [example] },
    ]),
  ),
  required: Object.keys(requestHeaders),
}

function messageOf(type: EventType): Json {
  const { label, description, scope } = eventCatalogue[type]
  return {
    name: type,
    title: label,
    summary: description,
    contentType: 'application/json',
    tags: [{ name: scope }],
    headers: { $ref: '#/components/schemas/RequestHeaders' },
    payload: { $ref: `#/components/schemas/${eventName(type)}` },
    examples: [{ name: 'sample', payload: eventSamples[type] }],
  }
}

/** The whole document, as `/api/asyncapi.json` serves it. `version` is Offhook's. */
export function asyncApiDocument(version: string): Json {
  const schemas: Components = {}
  addEvents(schemas)
  // "Any event" is what the messages of the channel say here.
  delete schemas.Event
  const messageRefs = (place: string) =>
    eventTypes.map((type) => ({ $ref: `#/${place}/messages/${eventName(type)}` }))
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Offhook events',
      version,
      description: 'What happens on a phone system, sent to the receivers of its webhooks.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: {
      receiver: {
        address: '/',
        title: 'A receiver',
        description: 'The URL of a webhook. Each request is one message.',
        messages: Object.fromEntries(
          eventTypes.map((type) => [
            eventName(type),
            { $ref: `#/components/messages/${eventName(type)}` },
          ]),
        ),
        bindings: { http: {} },
      },
    },
    operations: {
      deliver: {
        action: 'send',
        channel: { $ref: '#/channels/receiver' },
        summary: 'Offhook sends an event to a receiver until it is answered with 2xx or given up.',
        bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } },
        messages: messageRefs('channels/receiver'),
      },
    },
    components: {
      messages: Object.fromEntries(eventTypes.map((type) => [eventName(type), messageOf(type)])),
      schemas: { ...schemas, RequestHeaders: headers },
    },
  }
}
