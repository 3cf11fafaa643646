/**
 * Runs templates beside the event loop. A template is a program of whoever made the webhook, and may take all the time
 * that it is given, each time. So:
 *
 * - there are two processes: one for templates that were quick the last time, one for those that were not. Whose own is
 *   quick waits for another's slow one once and never again;
 * - of one webhook (and of one account that saves or previews) one job is under way at a time, however many are wanted.
 *
 * They start when they are needed and end when they are not.
 */
import { LRUCache } from 'lru-cache'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { TemplatePayload } from '#contracts/webhook/payload.ts'
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

/** The jobs of one webhook or account. */
interface Line {
  /** Resolves, whatever came of it, when the last job is over. */
  last: Promise<unknown>
  slow: boolean
}

/** Of the processor. Most templates take less than one. */
const slowMs = 20
const linesKept = 10_000

export function createTemplates(): Templates {
  const processes = { quick: createTemplateProcess(), slow: createTemplateProcess() }
  const lines = new LRUCache<string, Line>({ max: linesKept })
  let keys = 0

  function lineOf(who: string): Line {
    const known = lines.get(who)
    if (known !== undefined) return known
    const line = { last: Promise.resolve(), slow: false }
    lines.set(who, line)
    return line
  }

  async function run<N extends JobName>(who: string, job: Job<N>): Promise<ReturnType<Jobs[N]>> {
    const line = lineOf(who)
    const before = line.last
    const { promise, resolve } = Promise.withResolvers<void>()
    line.last = promise
    await before
    try {
      const done = await (line.slow ? processes.slow : processes.quick).run(job)
      line.slow = done.processorMs >= slowMs
      if ('notRendered' in done.result) throw new NotRenderedError(done.result.notRendered)
      return done.result.made
    } finally {
      resolve()
    }
  }

  return {
    problems: async (accountId, payload) =>
      await run(accountId, { name: 'problems', input: payload }),
    preview: async (accountId, previewed) =>
      await run(accountId, { name: 'preview', input: previewed }),
    hints: async (accountId, payload, type) =>
      await run(accountId, { name: 'hints', input: { payload, type } }),
    requests(url, settings, version) {
      keys += 1
      const webhook = { url, key: String(keys), settings: JSON.stringify(settings), version }
      return async (body) => await run(webhook.key, { name: 'render', input: { webhook, body } })
    },
    async close() {
      await Promise.all([processes.quick.close(), processes.slow.close()])
    },
  }
}
