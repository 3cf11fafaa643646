import type { Webhook } from '#contracts/webhook.ts'

/** The request of a delivery, still without its signature. */
export interface WebhookRequest {
  readonly method: 'POST'
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * The native request: `body` is the event as `nativeBody` made it and as it is stored, so that every try, resend and
 * look at the log shows the same bytes. `version` is Offhook's.
 */
export function renderRequest(
  body: string,
  webhook: Pick<Webhook, 'url'>,
  version: string,
): WebhookRequest {
  return {
    method: 'POST',
    url: webhook.url,
    headers: {
      // RFC 8259: JSON is UTF-8 and knows no charset parameter.
      'content-type': 'application/json',
      'user-agent': `Offhook/${version}`,
    },
    body,
  }
}
