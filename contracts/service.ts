import { z } from 'zod'
import { Timestamp } from '#contracts/events/facts.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'

const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/, 'must be an absolute path')
  .max(1024)

/**
 * How Offhook reaches the PBX of a service.
 * `asterisk_managed`: Offhook generates the configuration from the service's PBX document and runs the process.
 * `asterisk_attached`: an Asterisk that somebody else configures; Offhook reads its CEL file (the columns of the
 * documented `cel_custom.conf` mapping) and, where given, its queue_log and its AMI.
 */
export const PbxConnection = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('asterisk_managed'),
    sip_host: z
      .string()
      .regex(/^\d{1,3}(\.\d{1,3}){3}$/, 'must be an IPv4 address')
      .default('127.0.0.1')
      .meta({ description: 'Address that phones and carriers reach it at; 0.0.0.0: all.' }),
    sip_port: z
      .int()
      .min(1)
      .max(65_535)
      .nullable()
      .default(null)
      .meta({ description: 'UDP port of SIP; null: a free one, kept from then on.' }),
  }),
  z.strictObject({
    kind: z.literal('asterisk_attached'),
    cel_path: absolutePath,
    queue_log_path: absolutePath.nullable().default(null),
    ami: z
      .strictObject({
        host: z.string().min(1).max(255),
        port: z.int().min(1).max(65_535).default(5038),
        username: z.string().min(1).max(100),
        secret: z
          .string()
          .min(1)
          .max(200)
          .meta({ description: `Replies show ${hiddenSecret}; sent back, the stored one stays.` }),
      })
      .nullable()
      .default(null),
    trunks: z
      .array(z.string().min(1).max(100))
      .default([])
      .meta({ description: 'Endpoint names of the lines to carriers; empty: guessed.' }),
  }),
])
export type PbxConnection = z.infer<typeof PbxConnection>

const settings = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower case letters, digits, - and _, at most 63')
    .meta({ description: 'System name; unique in the account.' }),
  friendly_name: z.string().trim().min(1).max(200),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be an ISO 3166 code of two capitals')
    .nullable()
    .meta({ description: 'Where the PBX stands; national numbers become E.164 by it.' }),
  applications_enabled: z
    .boolean()
    .meta({ description: 'The Applications switch: off, no webhook fires for this service.' }),
  connection: PbxConnection,
}

export const ServiceDraft = z
  .strictObject({
    ...settings,
    country: settings.country.default(null),
    applications_enabled: settings.applications_enabled.default(false),
  })
  .meta({ id: 'ServiceDraft' })
export type ServiceDraft = z.infer<typeof ServiceDraft>

export const ServiceChange = z.strictObject(settings).partial().meta({ id: 'ServiceChange' })
export type ServiceChange = z.infer<typeof ServiceChange>

/** As the API shows it: the AMI secret is never shown again. */
export const Service = z
  .object({
    uuid: z.uuid(),
    type: z.literal('hosted_pbx'),
    ...settings,
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Service' })
export type Service = z.infer<typeof Service>
