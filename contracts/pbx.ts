/**
 * The PBX document: everything that a PBX is, said declaratively. Offhook generates the configuration of a managed
 * PBX from it, and looks up in it whom an extension, a mailbox or a number belongs to.
 *
 * Names and extensions are the identity of objects: the generated configuration calls them by these, and a call that
 * is inside an object when its name changes is lost. To rename something for people, there are labels.
 */
import { z } from 'zod'
import { CallType } from '#contracts/events/facts.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { checkReferences } from '#contracts/pbx-references.ts'
import { CustomHeaders } from '#contracts/webhook/headers.ts'
import { ReceiverUrl } from '#contracts/webhook/receiver-url.ts'

/** One line of text for people: no control characters, so that it cannot end a line of a generated file. */
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'must not contain control characters')

/** A word that generated files use as the name of a section or context. */
const objectName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'must be letters, digits, - and _, at most 40')

const extensionNumber = z.string().regex(/^[0-9]{2,8}$/, 'must be 2 to 8 digits')

/** As it is dialled: digits, with or without a leading +. */
const phoneNumber = z
  .string()
  .regex(/^\+?[0-9]{3,20}$/, 'must be 3 to 20 digits, with or without a leading +')

const e164 = z.string().regex(/^\+[1-9][0-9]{6,14}$/, 'must be + and 7 to 15 digits')

/**
 * Password of a phone or a trunk. Printable, without spaces: it stands on a line of a generated file. The mask of a
 * stored secret (`hidden-secret.ts`) is of this form too.
 */
const secret = z
  .string()
  .regex(/^[\x21-\x7e]{8,128}$/, 'must be 8 to 128 printable characters without spaces')

/** What is said of every field that holds a secret. */
const hidden = `Replies show ${hiddenSecret}; sent back, the stored one stays.`

const host = z
  .string()
  .regex(/^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a host name or IPv4')

const port = z.int().min(1).max(65_535)

const address = z
  .string()
  .regex(
    /^\d{1,3}(\.\d{1,3}){3}(:\d{1,5}|\/\d{1,2})?$/,
    'must be an IPv4 address, with a port or a prefix length if need be',
  )

/** A digit code of the phone keypad that no extension can begin with. */
const featureCode = z
  .string()
  .regex(/^[*#][*#0-9]{1,5}$/, 'must begin with * or #, then 1 to 5 of * # 0-9')

const seconds = (least: number, most: number) => z.int().min(least).max(most)

/** Where a call goes next. */
export const Destination = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('user'),
      extension_number: extensionNumber,
      voicemail: z.boolean().default(true).meta({
        description: 'Busy or not answered: on to the user’s voicemail, where there is one.',
      }),
    }),
    z.strictObject({ type: z.literal('ivr'), name: objectName }),
    z.strictObject({ type: z.literal('queue'), name: objectName }),
    z.strictObject({ type: z.literal('ring_group'), name: objectName }),
    z.strictObject({ type: z.literal('voicemail'), extension_number: extensionNumber }),
    z.strictObject({ type: z.literal('external'), number: phoneNumber }),
    z.strictObject({ type: z.literal('component'), name: objectName }),
    z.strictObject({ type: z.literal('hangup') }),
  ])
  .meta({ id: 'Destination' })
export type Destination = z.infer<typeof Destination>

const hangup = { type: 'hangup' } as const

export const PbxUser = z
  .strictObject({
    uuid: z
      .uuid()
      .meta({ description: 'Identity of the user in events; stays when all else changes.' }),
    extension_number: extensionNumber,
    name: line(80),
    secret: secret
      .nullable()
      .default(null)
      .meta({ description: `Password of the phone. Null only with a fixed contact. ${hidden}` }),
    contact: z
      .strictObject({ host, port: port.default(5060) })
      .nullable()
      .default(null)
      .meta({ description: 'Fixed address of the phone; null: the phone registers.' }),
    outbound_phone_number: e164
      .nullable()
      .default(null)
      .meta({ description: 'The number shown on outbound calls; null: the extension number.' }),
    enabled_calls: z
      .array(CallType)
      .default([...CallType.options])
      .meta({ description: 'The call types that the user may place; empty: no outbound calls.' }),
    has_voicemail: z.boolean().default(false),
    voicemail_pin: z
      .string()
      .regex(/^([0-9]{4,10}|\*{8})$/, 'must be 4 to 10 digits')
      .nullable()
      .default(null)
      .meta({ description: `What opens the mailbox from a phone. ${hidden}` }),
    ring_seconds: seconds(1, 600)
      .nullable()
      .default(null)
      .meta({ description: 'How long the phone rings; null: as long as the PBX says.', unit: 's' }),
    forward_to: phoneNumber
      .or(extensionNumber)
      .nullable()
      .default(null)
      .meta({ description: 'All calls go there instead: an extension, or an outside number.' }),
    recording: z
      .enum(['none', 'inbound', 'outbound', 'all'])
      .default('none')
      .meta({ description: 'Which calls of the user are recorded.' }),
  })
  .meta({ id: 'PbxUser' })
export type PbxUser = z.infer<typeof PbxUser>

export const PbxNumber = z
  .strictObject({
    did: phoneNumber.meta({ description: 'The number as the carrier sends it.' }),
    number: e164.nullable().default(null).meta({ description: 'The same number in E.164.' }),
    label: line(80).nullable().default(null),
    destination: Destination,
    recording: z.boolean().default(false).meta({ description: 'Record every call to it.' }),
  })
  .meta({ id: 'PbxNumber' })
export type PbxNumber = z.infer<typeof PbxNumber>

export const PbxTrunk = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must begin with a letter, then a-z, 0-9, - and _')
      .meta({ description: 'Never only digits, so that it cannot be taken for an extension.' }),
    host,
    port: port.default(5060),
    match: z
      .array(address)
      .max(50)
      .default([])
      .meta({ description: 'Addresses that its calls come from; empty: none come.' }),
    username: z
      .string()
      .regex(/^[A-Za-z0-9+._-]{1,80}$/, 'must be letters, digits and + . _ -')
      .nullable()
      .default(null),
    secret: secret
      .nullable()
      .default(null)
      .meta({ description: `Password at the carrier. ${hidden}` }),
    registers: z
      .boolean()
      .default(false)
      .meta({ description: 'The PBX registers with the carrier, by user name and secret.' }),
  })
  .meta({ id: 'PbxTrunk' })
export type PbxTrunk = z.infer<typeof PbxTrunk>

/** Numbers that begin with the prefix go out by the trunk; the longest prefix wins. */
export const PbxOutboundRoute = z
  .strictObject({
    prefix: z
      .string()
      .regex(/^\+?[0-9]{0,10}$/, 'must be digits, or + and digits, or empty for every number')
      .default(''),
    strip: z
      .int()
      .min(0)
      .max(10)
      .default(0)
      .meta({ description: 'Digits to take off the front before dialling.' }),
    trunk: z.string().min(1),
    recording: z.boolean().default(false),
  })
  .meta({ id: 'PbxOutboundRoute' })
export type PbxOutboundRoute = z.infer<typeof PbxOutboundRoute>

export const PbxIvr = z
  .strictObject({
    name: objectName,
    greeting: z
      .string()
      .regex(
        /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+){0,4}$/,
        'must be the name of a sound, without ending',
      )
      .max(100)
      .default('beep'),
    options: z
      .record(z.string().regex(/^[0-9*#]{1,8}$/, 'must be 1 to 8 of 0-9 * #'), Destination)
      .refine((options) => Object.keys(options).length > 0, 'must have at least one option')
      .meta({ description: 'What the caller dials → where it leads.' }),
    response_seconds: seconds(1, 60)
      .default(5)
      .meta({ description: 'Silence after the greeting that counts as no choice.', unit: 's' }),
    digit_seconds: seconds(1, 10)
      .default(2)
      .meta({ description: 'Pause between the digits of one option.', unit: 's' }),
    max_tries: z.int().min(1).max(10).default(3),
    on_timeout: Destination.default(hangup).meta({ description: 'After the last try, no choice.' }),
    on_invalid: Destination.default(hangup).meta({
      description: 'After the last try, an option that does not exist.',
    }),
  })
  .meta({ id: 'PbxIvr' })
export type PbxIvr = z.infer<typeof PbxIvr>

export const PbxQueue = z
  .strictObject({
    name: objectName.refine((name) => name.toLowerCase() !== 'general', 'is a reserved name'),
    extension: extensionNumber.nullable().default(null),
    strategy: z
      .enum(['ringall', 'linear', 'leastrecent', 'fewestcalls', 'random', 'rrmemory'])
      .default('ringall'),
    members: z
      .array(extensionNumber)
      .max(500)
      .meta({ description: 'Extension numbers of users, in order.' }),
    member_ring_seconds: seconds(1, 300).default(15).meta({ unit: 's' }),
    max_wait_seconds: seconds(1, 7200).default(300).meta({ unit: 's' }),
    fallback: Destination.default(hangup).meta({ description: 'When nobody answered in time.' }),
  })
  .meta({ id: 'PbxQueue' })
export type PbxQueue = z.infer<typeof PbxQueue>

export const PbxRingGroup = z
  .strictObject({
    name: objectName,
    extension: extensionNumber.nullable().default(null),
    members: z.array(extensionNumber).min(1).max(100),
    ring_seconds: seconds(1, 600).nullable().default(null).meta({ unit: 's' }),
    fallback: Destination.default(hangup).meta({ description: 'When nobody answered.' }),
  })
  .meta({ id: 'PbxRingGroup' })
export type PbxRingGroup = z.infer<typeof PbxRingGroup>

/** Where a Webhook object tells of the calls that pass it: a POST in the Phone Cloud format. */
export const PbxComponentWebhook = z
  .strictObject({
    url: ReceiverUrl,
    secret_token: z
      .string()
      .max(4000)
      .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
      .nullable()
      .default(null)
      .meta({ description: `Sent as X-Pbx-Token; null: none is. ${hidden}` }),
    headers: CustomHeaders.default([]),
  })
  .superRefine(({ secret_token, headers }, context) => {
    const at = headers.findIndex(({ name }) => name.toLowerCase() === 'x-pbx-token')
    if (secret_token === null || at === -1) return
    const message = 'is set by secret_token already'
    context.addIssue({ code: 'custom', path: ['headers', at, 'name'], message })
  })
  .meta({ id: 'PbxComponentWebhook' })
export type PbxComponentWebhook = z.infer<typeof PbxComponentWebhook>

/** The Webhook object of a call flow: a step that fires a webhook_component_event and goes on. */
export const PbxComponent = z
  .strictObject({
    name: objectName,
    parameters: z
      .record(
        z
          .string()
          .regex(/^(?!name$)[a-z][a-z0-9_]{0,39}$/, 'must be a-z, 0-9 and _, and not "name"'),
        line(200),
      )
      .default({})
      .meta({ description: 'Further values that the event carries.' }),
    webhook: PbxComponentWebhook.nullable().default(null).meta({
      description:
        'Its own webhook, which only calls that pass this object fire; null: other webhooks tell of it.',
    }),
    next: Destination,
  })
  .meta({ id: 'PbxComponent' })
export type PbxComponent = z.infer<typeof PbxComponent>

export const PbxVirtualExtension = z
  .strictObject({ extension: extensionNumber, destination: Destination })
  .meta({ id: 'PbxVirtualExtension' })

export const PbxFeatureCodes = z
  .strictObject({
    pickup: featureCode.default('**').meta({ description: 'Before an extension: take its call.' }),
    voicemail: featureCode.default('*97').meta({ description: 'Listen to one’s own messages.' }),
    blind_transfer: featureCode.default('##'),
    attended_transfer: featureCode.default('*2'),
  })
  .meta({ id: 'PbxFeatureCodes' })

const shape = {
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, 'must begin with a letter, then a-z, 0-9 and -')
    .meta({
      description:
        'System name: part of every channel’s unique id. A change restarts the PBX after its last call.',
    }),
  default_ring_seconds: seconds(1, 600).default(20).meta({ unit: 's' }),
  users: z.array(PbxUser).max(5000).default([]),
  numbers: z.array(PbxNumber).max(5000).default([]),
  trunks: z.array(PbxTrunk).max(100).default([]),
  outbound_routes: z.array(PbxOutboundRoute).max(200).default([]),
  ivrs: z.array(PbxIvr).max(500).default([]),
  queues: z.array(PbxQueue).max(500).default([]),
  ring_groups: z.array(PbxRingGroup).max(500).default([]),
  components: z.array(PbxComponent).max(500).default([]),
  virtual_extensions: z.array(PbxVirtualExtension).max(1000).default([]),
  feature_codes: PbxFeatureCodes.prefault({}),
}

/** A whole PBX, checked: every reference leads somewhere, nothing has two meanings, no call can run in circles. */
export const PbxDocument = z
  .strictObject(shape)
  .superRefine((document, context) => {
    for (const { path, message } of checkReferences(document)) {
      context.addIssue({ code: 'custom', path: [...path], message })
    }
  })
  .meta({ id: 'PbxDocument' })
export type PbxDocument = z.infer<typeof PbxDocument>
/** What one writes: fields with a default may be absent. */
export type PbxDocumentInput = z.input<typeof PbxDocument>
