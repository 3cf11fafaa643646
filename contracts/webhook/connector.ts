/** Receivers that want several requests for one event: a connector talks to them instead of one rendered request. */
import { z } from 'zod'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { fieldText } from '#contracts/webhook/field-text.ts'
import { TimeZone } from '#contracts/webhook/time-zone.ts'

const hidden = `Replies show ${hiddenSecret}; sent back, the stored one stays.`
const word = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')

/** 15 or 18 letters and digits: the id of a record of Salesforce. */
const recordId = z.string().regex(/^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/, 'must be a record id')

export const SalesforceLogin = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('client_credentials'),
      client_id: word(500),
      client_secret: word(500).meta({ description: hidden }),
    })
    .meta({ description: 'The consumer key and secret of an External Client App.' }),
  z
    .strictObject({
      type: z.literal('jwt_bearer'),
      client_id: word(500),
      username: word(200).meta({
        description: 'The integration user that the app is authorised for.',
      }),
      private_key: z
        .string()
        .max(16_384)
        .meta({ description: `RSA key (PEM) of the certificate that the app knows. ${hidden}` }),
      audience: word(500)
        .nullable()
        .default(null)
        .meta({ description: 'Null: the URL of the webhook, which is that of My Domain.' }),
    })
    .meta({ description: 'OAuth 2.0 JWT bearer flow, RS256.' }),
])
export type SalesforceLogin = z.infer<typeof SalesforceLogin>

export const SalesforceConnector = z
  .strictObject({
    type: z.literal('salesforce'),
    login: SalesforceLogin,
    api_version: z
      .string()
      .regex(/^\d{2}\.0$/, 'must be like 62.0')
      .default('62.0'),
    external_id_field: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_]{0,39}__c$/, 'must be the API name of a custom field: …__c')
      .default('Offhook_Call_Id__c')
      .meta({
        description:
          'A field of Activity, text of 36 or more, marked as external id and unique: by it a call has one Task however often it is sent.',
      }),
    several: z.enum(['none', 'most_recent', 'owner']).default('none').meta({
      description:
        'When a number belongs to several Contacts (or Leads). none: the Task names nobody, and lists them. most_recent: the one that was changed last. owner: the one that belongs to the user of the call, if it is one.',
    }),
    owners: z
      .record(z.string().regex(/^[0-9]{2,8}$/, 'must be an extension number'), recordId)
      .default({})
      .meta({ description: 'Extension number → id of the Salesforce user whose Task it becomes.' }),
    time_zone: TimeZone.meta({
      description:
        'Where the day of the Task (ActivityDate) begins: that of the people who read it.',
    }),
    subject: fieldText(200).nullable().default(null).meta({
      description: 'The Subject of the Task; null: as in "Inbound call from +61288881234".',
    }),
  })
  .meta({
    id: 'SalesforceConnector',
    description:
      'The URL of the webhook is that of My Domain (https://<name>.my.salesforce.com). Of each call one Task is made, or changed where it is there.',
  })
export type SalesforceConnector = z.infer<typeof SalesforceConnector>

export const Connector = SalesforceConnector
export type Connector = z.infer<typeof Connector>
