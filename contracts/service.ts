import { z } from 'zod'
import { AgentState } from '#contracts/agent.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'

const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/, 'must be an absolute path')
  .max(1024)

const trunks = z
  .array(z.string().min(1).max(100))
  .default([])
  .meta({ description: 'Endpoint names of the lines to carriers; empty: guessed.' })

/**
 * How Offhook reaches the PBX of a service.
 * `asterisk_managed`: Offhook generates the configuration from the service's PBX document and runs the process.
 * `asterisk_attached`: an Asterisk that somebody else configures; Offhook reads its CEL file (the columns of the
 * documented `cel_custom.conf` mapping) and, where given, its queue_log and its AMI.
 * `asterisk_agent`: such an Asterisk on another machine, where `offhook agent` reads those files and ships them.
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
    recordings_path: absolutePath.nullable().default(null).meta({
      description:
        'Folder of the recordings, or of folders YYYY/MM/DD of them; null: Offhook gives no audio of them.',
    }),
    voicemail_path: absolutePath.nullable().default(null).meta({
      description:
        'Folder of the voicemail, which has a folder for each context, as /var/spool/asterisk/voicemail; null: Offhook gives no audio of messages.',
    }),
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
    trunks,
  }),
  z.strictObject({ kind: z.literal('asterisk_agent'), trunks }),
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
  applications_enabled: z.boolean().meta({
    description:
      'The Applications switch: off, no webhook of this service fires; those of the account are told of its users only.',
  }),
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

export const ServiceStatus = z
  .object({
    pbx: z.enum(['starting', 'up', 'waiting_for_document', 'down', 'elsewhere']).meta({
      description:
        'A PBX that is down is tried again and again. Elsewhere: another node runs it, or none yet; the one whose /readyz lists the service can tell.',
    }),
    since: Timestamp.nullable().meta({ description: 'Null: elsewhere.' }),
    reason: z.string().nullable().meta({ description: 'Why it is down.' }),
    document: z
      .object({
        state: z.enum(['pending', 'applied', 'rejected']).meta({
          description:
            'What became of the PBX document. Pending or rejected, the one before it is in force.',
        }),
        since: Timestamp,
        reason: z.string().nullable().meta({ description: 'Why the PBX refused it.' }),
        restart_needed: z.boolean().meta({
          description:
            'Part of it needs a restart of the PBX, which comes with the end of the last call.',
        }),
      })
      .nullable()
      .meta({ description: 'Null: there is none, or somebody else configures the PBX.' }),
    agent: AgentState.nullable().meta({
      description: 'Null: its PBX is reached without an agent.',
    }),
    test_calls: z.boolean().meta({ description: 'It is the demo PBX: test calls can be placed.' }),
  })
  .meta({ id: 'ServiceStatus' })
export type ServiceStatus = z.infer<typeof ServiceStatus>

/** As it is stored; secrets are never shown again. Its ETag is that of these fields. */
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

/** As the API shows it: with how its PBX is doing at this moment. */
export const ShownService = Service.extend({ status: ServiceStatus }).meta({ id: 'ShownService' })
export type ShownService = z.infer<typeof ShownService>
