/** The webhook of a demo, which goes with it, however the demo ends: what cannot go at its end goes before the next one. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { eventTypes } from '#contracts/events/catalogue.ts'
import type { Page } from '#contracts/page.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import type { Api } from '#server/cli/demo-api.ts'
import {
  announceDemoReceiver,
  announcedDemo,
  demoReceiverHost,
  demoReceiverUrl,
} from '#server/demo-receiver-file.ts'
import { StartError } from '#server/start-error.ts'

const name = 'demo'

/**
 * Makes the webhook for a receiver at this port, which is made known before: of a demo that is killed at any time the
 * next one knows where its webhook led.
 */
export async function openDemoWebhook(
  api: Api,
  { dataFolder, service, port }: { dataFolder: string; service: string; port: number },
): Promise<AsyncDisposable & { readonly secret: string }> {
  await using parts = new AsyncDisposableStack()
  parts.use(await announceDemoReceiver(dataFolder, port))
  const { id, secret } = await api<{ id: string; secret: string }>('POST', '/webhooks', {
    name,
    url: demoReceiverUrl(port),
    service_uuid: service,
    triggers: eventTypes.filter((type) => type !== 'webhook.disabled'),
  })
  const announced = parts.move()
  return {
    secret,
    async [Symbol.asyncDispose]() {
      try {
        await api('DELETE', `/webhooks/${id}`)
      } catch {
        // Offhook has ended before the demo. The next demo finds the webhook by what was announced.
        return
      }
      await announced.disposeAsync()
    },
  }
}

/** Removes what a demo that was killed has left. Throws StartError where one is under way. */
export async function clearEarlierDemo(api: Api, dataFolder: string): Promise<void> {
  const earlier = await announcedDemo(dataFolder)
  if (earlier === null) return
  // Another process may have its number by now.
  if (earlier.lives && (await listens(earlier.port))) {
    const says = `Another demo is under way (process ${earlier.pid}); wait until it has ended.`
    throw new StartError('demo_failed', says)
  }
  for (const { id } of await webhooksTo(api, demoReceiverUrl(earlier.port))) {
    await api('DELETE', `/webhooks/${id}`)
  }
}

/** Somebody may have a webhook of that name; none of theirs leads to a port that a demo once took. */
async function webhooksTo(api: Api, url: string): Promise<readonly Webhook[]> {
  const found: Webhook[] = []
  for (let cursor = ''; ; ) {
    const page = await api<Page<Webhook>>('GET', `/webhooks?name=${name}&limit=100${cursor}`)
    found.push(...page.items.filter((webhook) => webhook.name === name && webhook.url === url))
    if (page.next_cursor === null) return found
    cursor = `&cursor=${page.next_cursor}`
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, demoReceiverHost)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
