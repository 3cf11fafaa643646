/** What the tests of this folder do their harm to: a real `offhook start` that reads a growing CEL file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Event } from '#contracts/events/catalogue.ts'
import type { Page } from '#contracts/page.ts'
import type { CreatedWebhook, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { createService, createWebhook } from '#test/asterisk/stack.ts'
import {
  type OffhookOptions,
  type OffhookProcess,
  startOffhook,
} from '#test/support/offhook-process.ts'
import { waitUntil } from '#test/support/wait-until.ts'

export interface World extends AsyncDisposable {
  readonly offhook: OffhookProcess
  readonly webhooks: readonly CreatedWebhook[]
  /** The file that Offhook reads. */
  readonly cel: string
}

/** Who is to hear of everything. */
export type Listener = Partial<WebhookDraft> & { readonly url: string }

/** Returns when the record is being read. The listeners are there from before its first event. */
export async function startWorld(
  listeners: readonly Listener[],
  options: OffhookOptions = {},
): Promise<World> {
  await using parts = new AsyncDisposableStack()
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-record-')), (path) =>
    rm(path, { recursive: true, force: true }),
  )
  const cel = join(folder, 'cel.csv')
  await writeFile(cel, '')
  const env = { OFFHOOK_LOG_LEVEL: 'warn', ...options.env }
  const offhook = parts.use(await startOffhook({ ...options, env }))
  const webhooks: CreatedWebhook[] = []
  for (const { url, ...settings } of listeners) {
    webhooks.push(await createWebhook(offhook, { url }, null, settings))
  }
  await createService(offhook, {
    name: 'attached',
    friendly_name: 'Attached',
    connection: {
      kind: 'asterisk_attached',
      cel_path: cel,
      queue_log_path: null,
      recordings_path: null,
      voicemail_path: null,
      ami: null,
      trunks: ['trunk'],
    },
  })
  // The link is told first; what is written before it is read late, and counts as backfilled.
  await waitUntil(
    async () => {
      const page = await offhook.api<Page<Event>>('GET', '/events?type=service.link.up')
      return page.items.length > 0
    },
    { what: 'the record is being read', timeoutMs: 30_000 },
  )
  const opened = parts.move()
  return { offhook, webhooks, cel, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
