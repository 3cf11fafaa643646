/**
 * The program of `template-process.ts`: pure functions of the domain that do what somebody's template says, each within
 * its limits of time and memory.
 */
import { LRUCache } from 'lru-cache'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { TemplatePayload } from '#contracts/webhook/payload.ts'
import type { RequestSettings } from '#contracts/webhook/request.ts'
import { type Previewed, previewRequest } from '#server/domain/preview.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { prepareRequests, type Renderer } from '#server/domain/render/render.ts'
import { templateProblems } from '#server/domain/render/template.ts'
import { templateHints } from '#server/domain/render/template-hints.ts'

/** A webhook whose requests are to be made. */
export interface TemplatedWebhook {
  readonly url: string
  /** Tells these settings from all others that the process has had. */
  readonly key: string
  /** JSON text of `RequestSettings`: read once, and cheap to hand over with each request. */
  readonly settings: string
  /** Offhook's. */
  readonly version: string
}

/** Busy webhooks with templates; the rest are parsed again. A parsed template is some tens of kilobytes. */
const renderersKept = 500
const renderers = new LRUCache<string, Renderer>({ max: renderersKept })

function rendererOf({ url, key, settings, version }: TemplatedWebhook): Renderer {
  const known = renderers.get(key)
  if (known !== undefined) return known
  const made = prepareRequests(url, JSON.parse(settings) as RequestSettings, version)
  renderers.set(key, made)
  return made
}

const jobs = {
  problems: (payload: TemplatePayload) => templateProblems(payload),
  preview: (previewed: Previewed) => previewRequest(previewed),
  hints: ({ payload, type }: { readonly payload: TemplatePayload; readonly type: EventType }) =>
    templateHints(payload, type),
  render: ({ webhook, body }: { readonly webhook: TemplatedWebhook; readonly body: string }) =>
    rendererOf(webhook).render(body),
}
export type Jobs = typeof jobs
export type JobName = keyof Jobs

export interface Job<N extends JobName> {
  readonly name: N
  readonly input: Parameters<Jobs[N]>[0]
}

export interface JobDone<N extends JobName> {
  /** Or why there is none, by the webhook's own fault. */
  readonly result: { readonly made: ReturnType<Jobs[N]> } | { readonly notRendered: string }
  /** What it took of the processor. */
  readonly processorMs: number
}

const processorMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

function resultOf<N extends JobName>({ name, input }: Job<N>): JobDone<N>['result'] {
  try {
    return { made: jobs[name](input as never) as ReturnType<Jobs[N]> }
  } catch (error) {
    // A class does not survive the way to another process.
    if (error instanceof NotRenderedError) return { notRendered: error.message }
    throw error
  }
}

process.on('message', (job: Job<JobName>) => {
  const before = processorMs()
  const result = resultOf(job)
  process.send?.({ result, processorMs: processorMs() - before } satisfies JobDone<JobName>)
})
// Both go to all processes of a terminal or a unit of systemd: requests that are on their way are still to be made.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => process.exit())
