/** A webhook with the Salesforce connector, the calls and people of its tests. */
import type { EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import {
  type SalesforceRecord,
  type SalesforceServer,
  salesforceApp,
} from '#test/support/salesforce-server.ts'
import { type OneWebhook, oneWebhook } from './one-webhook.ts'

export type EndedCall = EventOf<'call.ended'>

export const byPassword = {
  type: 'client_credentials',
  client_id: salesforceApp.client_id,
  client_secret: salesforceApp.client_secret,
}

export async function connectedTo(
  salesforce: SalesforceServer,
  connector: object = {},
  more: object = {},
  now: () => number = Date.now,
): Promise<OneWebhook> {
  return await oneWebhook(
    {
      url: salesforce.url,
      retries: 0,
      connector: { type: 'salesforce', login: byPassword, ...connector },
      ...more,
    },
    { now },
  )
}

export const ended = eventSamples['call.ended']
export const annaId = '003000000000001AAA'
export const bertId = '003000000000002AAA'

export const person = (
  type: 'Contact' | 'Lead',
  Id: string,
  more: object = {},
): SalesforceRecord => ({
  type,
  Id,
  OwnerId: '005000000000009AAA',
  LastModifiedDate: '2026-11-01T10:00:00.000+0000',
  ...more,
})

/** The call of the samples, from another number. */
export const callFrom = (number: string | null, raw: string | null): EndedCall => ({
  ...ended,
  call: { ...ended.call, source: { ...ended.call.source, number, raw } },
})
