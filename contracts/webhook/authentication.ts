/** How a request shows its receiver that it may come in, beside the signature. Secrets are encrypted, and shown masked. */
import { z } from 'zod'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { headerName } from '#contracts/webhook/header-name.ts'
import { ReceiverUrl } from '#contracts/webhook/receiver-url.ts'

const hidden = `Replies show ${hiddenSecret}; sent back, the stored one stays.`

/** One line: it becomes part of a header. */
const line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'must not contain control characters')

/** Visible ASCII: what a header can carry as it is. */
const visible = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(
      /^$|^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/,
      'must be printable ASCII, without spaces at the ends',
    )

export const Authentication = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('none') }),
    z.strictObject({
      type: z.literal('basic'),
      username: line(200)
        .refine((name) => !name.includes(':'), 'must not contain a colon (RFC 7617)')
        .default('')
        .meta({ description: 'Sent as UTF-8; may be empty.' }),
      password: line(1000)
        .default('')
        .meta({ description: `Sent as UTF-8. ${hidden}` }),
    }),
    z.strictObject({
      type: z.literal('token'),
      token: visible(4000).meta({ description: hidden }),
      header: headerName
        .default('Authorization')
        .meta({ description: 'The header that carries it.' }),
      prefix: z
        .string()
        .max(100)
        .regex(/^$|^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/, 'must be printable ASCII, or empty')
        .default('Bearer')
        .meta({
          description:
            'What stands before the token, and a space after it; empty: the token alone.',
        }),
    }),
    z.strictObject({
      type: z.literal('pbx_token'),
      token: visible(4000).meta({
        description: `Secret token, sent as X-Pbx-Token. ${hidden}`,
      }),
    }),
    z.strictObject({
      type: z.literal('oauth2'),
      token_url: ReceiverUrl.meta({
        description: 'Where access tokens are asked for, by client credentials (RFC 6749 4.4).',
      }),
      client_id: visible(1000),
      client_secret: visible(4000).meta({ description: hidden }),
      scope: z
        .string()
        .max(1000)
        .regex(
          /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/,
          'must be scopes with one space between them (RFC 6749 3.3)',
        )
        .nullable()
        .default(null)
        .meta({ description: 'Null: not asked for.' }),
      audience: visible(1000).nullable().default(null).meta({
        description: 'For servers that want to know who the token is for. Null: not sent.',
      }),
      client_authentication: z.enum(['basic', 'body']).default('basic').meta({
        description: 'How id and secret are sent: in the header Authorization, or in the form.',
      }),
    }),
  ])
  .meta({ id: 'Authentication' })
export type Authentication = z.infer<typeof Authentication>
