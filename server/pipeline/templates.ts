/**
 * Runs templates beside the event loop. A template is a program of whoever made the webhook, and may take all the time
 * that it is given, each time. So:
 *
 * - there are two processes: one for templates that were quick, one for those that were not, for minutes after: by their text, by
 *   the webhook, and by the account that previews them. Whose own is quick waits for another's slow one once in that time;
 * - of one webhook (and of one account that saves or previews) one job is under way at a time, however many are wanted.
 *
 * They start when they are needed and end when they are not.
 */
import { LRUCache } from 'lru-cache'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Payload, TemplatePayload } from '#contracts/webhook/payload.ts'
import type { RequestSettings } from '#contracts/webhook/request.ts'
import type { Previewed, PreviewedRequest } from '#server/domain/preview.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'
import type { TemplateProblem } from '#server/domain/render/template.ts'
import { createTemplateProcess } from '#server/pipeline/template-process.ts'
import type { Job, JobName, Jobs } from '#server/pipeline/template-program.ts'

export interface Templates {
  /** Why the account cannot have such a payload; empty: it can. */
  readonly problems: (
    accountId: string,
    payload: TemplatePayload,
  ) => Promise<readonly TemplateProblem[]>
  /** Rejects with NotRenderedError. */
  readonly preview: (accountId: string, previewed: Previewed) => Promise<PreviewedRequest>
  /** What it reads and events of this type do not have, as sentences. */
  readonly hints: (
    accountId: string,
    payload: TemplatePayload,
    type: EventType,
  ) => Promise<readonly string[]>
  /** Makes the requests of a webhook as `prepareRequests` does; they reject with NotRenderedError. */
  readonly requests: (
    url: string,
    settings: RequestSettings,
    version: string,
  ) => (body: string) => Promise<WebhookRequest>
  readonly close: () => Promise<void>
}

/** Of the processor. Most templates take less than one, and ten or twenty the first time. */
const slowMs = 40
const slowForMs = 600_000
const linesKept = 10_000
/** Some are as long as a template may be. */
const slowKept = 1_000

export function createTemplates(): Templates {
  const processes = { quick: createTemplateProcess(), slow: createTemplateProcess() }
  /** Of a webhook or an account: resolves, whatever came of it, when its last job is over. */
  const lines = new LRUCache<string, Promise<unknown>>({ max: linesKept })
  const slow = new LRUCache<string, true>({ max: slowKept, ttl: slowForMs })
  let keys = 0

  /** `text`: the template, as far as it may be known from elsewhere. */
  async function run<N extends JobName>(
    who: string,
    text: string,
    job: Job<N>,
  ): Promise<ReturnType<Jobs[N]>> {
    const before = lines.get(who)
    const { promise, resolve } = Promise.withResolvers<void>()
    lines.set(who, promise)
    await before
    try {
      const wasSlow = slow.has(who) || slow.has(text)
      const done = await (wasSlow ? processes.slow : processes.quick).run(job)
      if (done.processorMs >= slowMs) for (const key of [who, text]) slow.set(key, true)
      if ('notRendered' in done.result) throw new NotRenderedError(done.result.notRendered)
      return done.result.made
    } finally {
      resolve()
    }
  }

  return {
    problems: async (accountId, payload) =>
      await run(accountId, textOf(payload), { name: 'problems', input: payload }),
    preview: async (accountId, previewed) =>
      await run(accountId, textOf(previewed.request.payload), {
        name: 'preview',
        input: previewed,
      }),
    hints: async (accountId, payload, type) =>
      await run(accountId, textOf(payload), { name: 'hints', input: { payload, type } }),
    requests(url, settings, version) {
      keys += 1
      const webhook = { url, key: String(keys), settings: JSON.stringify(settings), version }
      const text = textOf(settings.payload)
      return async (body) =>
        await run(webhook.key, text, { name: 'render', input: { webhook, body } })
    },
    async close() {
      await Promise.all([processes.quick.close(), processes.slow.close()])
    },
  }
}

/** What two webhooks with the same template have in common. */
const textOf = (payload: Payload): string =>
  payload.style === 'template'
    ? JSON.stringify([payload.template, payload.partials])
    : JSON.stringify(payload)
