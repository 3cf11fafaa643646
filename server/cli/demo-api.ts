import type { Page } from '#contracts/page.ts'
import type { ShownService } from '#contracts/service.ts'
import { StartError } from '#server/start-error.ts'

/** What a demo asks of the Offhook that runs. Throws StartError where that refuses. */
export type Api = <T>(method: string, path: string, body?: unknown) => Promise<T>

export function apiAt(url: string, key: string): Api {
  return async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok)
      throw new StartError('demo_failed', `${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}

/** The demo PBX, whose calls fire webhooks. `how` is the address of the API and where its key is. */
export async function demoService(
  api: Api,
  how: { readonly url: string; readonly keyPath: string },
): Promise<string> {
  const service = await findDemoService(api)
  if (service === null) {
    throw new StartError(
      'demo_failed',
      'This data folder has no demo PBX, or its phones are not up; set OFFHOOK_DATA to a new folder for the demo.',
    )
  }
  const { uuid, friendly_name: called, applications_enabled: on } = service
  if (on) return uuid
  throw new StartError(
    'demo_failed',
    [
      `The Applications switch of the PBX "${called}" is off, so its calls fire nothing. Switch it on while Offhook runs (npm start), then try again:`,
      `  curl -s -X PATCH ${how.url}/api/v1/services/${uuid} \\`,
      `    -H "Authorization: Bearer $(cat '${how.keyPath}')" -H 'Content-Type: application/json' \\`,
      `    -d '{"applications_enabled": true}'`,
    ].join('\n'),
  )
}

async function findDemoService(api: Api): Promise<ShownService | null> {
  for (let cursor = ''; ; ) {
    const page = await api<Page<ShownService>>('GET', `/services?limit=100${cursor}`)
    const service = page.items.find(({ status }) => status.test_calls)
    if (service !== undefined) return service
    if (page.next_cursor === null) return null
    cursor = `&cursor=${page.next_cursor}`
  }
}
