/** What a request carries, and in which shape. */
import { z } from 'zod'
import { FieldName } from '#contracts/events/field-names.ts'
import { fieldText } from '#contracts/webhook/field-text.ts'
import { TimeFormat } from '#contracts/webhook/time-format.ts'
import { TimeZone } from '#contracts/webhook/time-zone.ts'

/** What an administrator writes into one payload. */
const textBytes = 65_536

const bytesOf = (text: string) => new TextEncoder().encode(text).length

const NativePayload = z
  .strictObject({ style: z.literal('native') })
  .meta({ description: 'The whole event, as the catalogue has it.' })

/** One value of a mapped payload: a field of the event, or text of one's own. */
export const MappedField = z
  .strictObject({
    key: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .regex(/^[^\p{Cc}]*$/u, 'must not contain control characters')
      .meta({ description: 'The request key: what the receiver calls the value.' }),
    field: FieldName.nullable().default(null).meta({
      description:
        'A field of events by its path, its label or its name in the documents of the hosted products: call.source.raw, Source Number, src.',
    }),
    value: fieldText(4000)
      .nullable()
      .default(null)
      .meta({ description: 'Text instead of a field; it may have fields, as in {{ call.uuid }}.' }),
  })
  .superRefine(({ field, value }, context) => {
    if ((field === null) === (value === null)) {
      context.addIssue({ code: 'custom', message: 'must have either a field or a value' })
    }
  })
  .meta({ id: 'MappedField' })
export type MappedField = z.infer<typeof MappedField>

const MappedPayload = z
  .strictObject({
    style: z.literal('mapped'),
    fields: z
      .array(MappedField)
      .min(1)
      .max(200)
      .superRefine((fields, context) => {
        const seen = new Map<string, number>()
        fields.forEach(({ key }, i) => {
          const before = seen.get(key)
          if (before === undefined) seen.set(key, i)
          else {
            const message = `must be another key than that of fields[${before}]: each value has its own`
            context.addIssue({ code: 'custom', path: [i, 'key'], message })
          }
        })
        const bytes = fields.reduce((sum, { key, value }) => sum + bytesOf(key + (value ?? '')), 0)
        if (bytes > textBytes) {
          const message = `must have 64 KiB of keys and values at most altogether, not ${bytes} bytes`
          context.addIssue({ code: 'custom', message })
        }
      })
      .meta({ description: 'In the order in which they are sent.' }),
    nested: z.boolean().default(false).meta({
      description:
        'True: a key such as caller.number becomes an object in JSON. False: it is one key.',
    }),
    absent: z.enum(['null', 'omit']).default('null').meta({
      description:
        'A field that the event does not have. null: null in JSON, empty in QUERY and form. omit: the key is left out.',
    }),
    time_format: TimeFormat,
    time_zone: TimeZone,
  })
  .meta({ description: 'Chosen fields under request keys of your own.' })
export type MappedPayload = z.infer<typeof MappedPayload>

const PhoneCloudPayload = z
  .strictObject({ style: z.literal('phone-cloud') })
  .meta({ description: 'Flat values by the names of the Phone Cloud webhooks.' })

const CloudEventsPayload = z
  .strictObject({ style: z.literal('cloudevents') })
  .meta({ description: 'CloudEvents 1.0, structured: the native event is its data.' })

const TemplatePayload = z
  .strictObject({
    style: z.literal('template'),
    template: z.string().min(1).max(textBytes).meta({
      description:
        'Liquid over the native event: {"id": "{{ call.uuid }}", "seconds": {{ call.duration | json }}}.',
    }),
    content_type: z
      .string()
      .max(200)
      .regex(
        /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\w-]+=(?:[\w.+-]+|"[\w .+-]*"))*$/,
        'must be a content type such as application/json or text/plain; charset=utf-8',
      )
      .default('application/json')
      .meta({
        description:
          'Decides how values are escaped: as in a string of JSON, in XML and HTML, in a form, or not at all. JSON must come out as JSON.',
      }),
    partials: z
      .record(
        z
          .string()
          .regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be a name of a-z, 0-9, _ and -, a letter first'),
        z.string().max(textBytes),
      )
      .default({})
      .meta({ description: 'Parts by name, which {% render "name" %} puts in; up to 20.' }),
  })
  .superRefine(({ template, partials }, context) => {
    const parts = Object.values(partials)
    if (parts.length > 20) {
      context.addIssue({ code: 'custom', path: ['partials'], message: 'must be 20 at most' })
    }
    const longest = Math.max(template.length, ...parts.map((part) => part.length))
    // One that is too long by itself is told as that.
    if (longest <= textBytes && bytesOf([template, ...parts].join('')) > textBytes) {
      const message = 'must be of 64 KiB at most, with its partials'
      context.addIssue({ code: 'custom', path: ['template'], message })
    }
  })
  .meta({ description: 'Text of your own, with values of the event.' })
export type TemplatePayload = z.infer<typeof TemplatePayload>

export const Payload = z
  .discriminatedUnion('style', [
    NativePayload,
    MappedPayload,
    PhoneCloudPayload,
    CloudEventsPayload,
    TemplatePayload,
  ])
  .meta({ id: 'Payload' })
export type Payload = z.infer<typeof Payload>
