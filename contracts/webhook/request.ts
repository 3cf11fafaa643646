/** The request of a webhook: all that decides its bytes but the URL and the signing secret. */
import { z } from 'zod'
import { Authentication } from '#contracts/webhook/authentication.ts'
import { Connector } from '#contracts/webhook/connector.ts'
import { fieldText } from '#contracts/webhook/field-text.ts'
import { HangupCauses } from '#contracts/webhook/hangup-causes.ts'
import { CustomHeaders } from '#contracts/webhook/headers.ts'
import { Payload } from '#contracts/webhook/payload.ts'

export const RequestMethod = z.enum(['POST', 'GET', 'PUT', 'PATCH'])
export const RequestFormat = z.enum(['json', 'query', 'form'])
export type RequestFormat = z.infer<typeof RequestFormat>

/** One segment of a path that is not another path: the URL standard takes `.` and `..` for steps, encoded or not. */
const segment = fieldText(500)
  .min(1)
  .refine((text) => !/^\s*\.{1,2}\s*$/.test(text), 'must not be . or ..: it would leave the path')

export const requestSettings = {
  method: RequestMethod.meta({
    description: 'Most receivers want POST. GET is for old ones: it carries a QUERY and no body.',
  }),
  format: RequestFormat.meta({
    description:
      'json: a JSON body. query: the query string of the URL, joined to the one that the URL has. form: a body of application/x-www-form-urlencoded.',
  }),
  path_arguments: z.array(segment).max(20).meta({
    description:
      'Further segments of the path, each percent-encoded; they may have fields, as in {{ call.uuid }}. One without a value is sent as -.',
  }),
  authentication: Authentication,
  signed: z.boolean().meta({
    description:
      'Carries the headers webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks); the signature is of the body.',
  }),
  headers: CustomHeaders,
  payload: Payload,
  hangup_causes: HangupCauses.meta({
    description: 'Own names for why calls ended; they go before those of the account.',
  }),
  connector: Connector.nullable().meta({
    description: 'Talks to a receiver that wants several requests; null: one request as set here.',
  }),
}

export const RequestSettings = z.object(requestSettings)
export type RequestSettings = z.infer<typeof RequestSettings>

/** What a webhook does that says nothing of its request. */
export const plainRequest: RequestSettings = {
  method: 'POST',
  format: 'json',
  path_arguments: [],
  authentication: { type: 'none' },
  signed: true,
  headers: [],
  payload: { style: 'native' },
  hangup_causes: {},
  connector: null,
}
