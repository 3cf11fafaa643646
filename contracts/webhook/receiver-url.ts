import { z } from 'zod'

/**
 * What is wrong with the URL of a receiver; null: nothing. The text is held to what it seems to say: a URL parser drops
 * tabs and line breaks, takes `\\` for `/`, and finds a host in `http:///path`.
 */
function wrongUrl(
  text: string,
): { readonly code: 'form' | 'rule'; readonly message: string } | null {
  const form = (message: string) => ({ code: 'form', message }) as const
  const rule = (message: string) => ({ code: 'rule', message }) as const
  if (!/^https?:\/\//i.test(text)) return form('must be an http:// or https:// address')
  const url = URL.parse(text)
  if (url === null || !/^\w+:\/\/[^/?#\\]/.test(text)) return form('must have a host')
  if (/[^!-~\u00a0-\u{10ffff}]/u.test(text)) {
    return rule('must not have spaces or control characters')
  }
  if (/^\w+:\/\/[^/?#]*[@\\]/.test(text)) return rule('must not carry credentials')
  if (text.includes('#')) return rule('must not have a fragment (#…): it is never sent')
  return url.port === '0' ? rule('must not have port 0') : null
}

/** Receivers get http or https; credentials belong into the authentication settings, where they are encrypted. */
export const ReceiverUrl = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const wrong = wrongUrl(text)
    if (wrong === null) return
    const { code, message } = wrong
    if (code === 'rule') context.addIssue({ code: 'custom', message })
    else context.addIssue({ code: 'invalid_format', format: 'url', message })
  })
  .meta({ format: 'uri' })
