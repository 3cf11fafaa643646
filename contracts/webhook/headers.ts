/** Headers of one's own on each request. */
import { z } from 'zod'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { isSecretName } from '#contracts/secret-name.ts'
import { fieldText } from '#contracts/webhook/field-text.ts'
import { headerName } from '#contracts/webhook/header-name.ts'

/** Many servers refuse a request whose headers are longer than 8 KiB together. */
const mostCharacters = 8192

export const CustomHeader = z
  .strictObject({
    name: headerName.meta({ description: 'By RFC 9110; usually it begins with X-.' }),
    value: fieldText(4000)
      // RFC 9110 5.5; nothing else can end the line that a header is.
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
      .meta({
        description: `May have fields of the event, as in {{ call.uuid }}. Of a secret header, replies show ${hiddenSecret}; sent back, the stored one stays.`,
      }),
    secret: z.boolean().optional().meta({
      description:
        'The value is encrypted, and masked in replies and in the log. Absent: true for names that tell of a secret, such as Authorization, Cookie, X-Api-Key.',
    }),
  })
  .transform(({ secret, ...header }) => ({
    ...header,
    secret: secret ?? isSecretName(header.name),
  }))
  .pipe(z.object({ name: z.string(), value: z.string(), secret: z.boolean() }))
  .superRefine(({ value, secret }, context) => {
    if (secret || value !== hiddenSecret) return
    const message = `${hiddenSecret} stands for a secret: send the value itself, or leave it secret`
    context.addIssue({ code: 'custom', path: ['value'], message })
  })
  .meta({ id: 'CustomHeader' })
export type CustomHeader = z.infer<typeof CustomHeader>

export const CustomHeaders = z
  .array(CustomHeader)
  .max(50)
  .superRefine((headers, context) => {
    const seen = new Set<string>()
    headers.forEach(({ name }, i) => {
      if (seen.has(name.toLowerCase())) {
        context.addIssue({
          code: 'custom',
          path: [i, 'name'],
          message: 'must not be there twice: put both values into one, with a comma between',
        })
      }
      seen.add(name.toLowerCase())
    })
    const characters = headers.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
    if (characters <= mostCharacters) return
    const message = `must have ${mostCharacters} characters at most altogether, names and values, not ${characters}: servers refuse more`
    context.addIssue({ code: 'custom', message })
  })
