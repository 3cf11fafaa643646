/** Two nodes on one database, whose callers change the same object at the same time. */
import { expect, test } from 'vitest'
import { type Api, startApi } from '#test/api/start-api.ts'
import { createTestDatabase } from '#test/conformance/postgres-test-store.ts'

const rounds = 10

test('of two changes with the same If-Match, each by another node, one is done', async () => {
  await using database = await createTestDatabase()
  await using one = await startApi(database)
  await using other = await startApi(database)
  const both = (send: (api: Api, name: string) => Promise<{ readonly status: number }>) =>
    Promise.all([send(one, 'one'), send(other, 'other')])

  const service = await one.anna.request('POST', '/api/v1/services', {
    body: { name: 'pbx', friendly_name: 'PBX', connection: { kind: 'asterisk_managed' } },
  })
  const webhook = await one.anna.request('POST', '/api/v1/webhooks', {
    body: { name: 'w', url: 'https://receiver.example/', triggers: ['call.ended'] },
  })
  const objects = [
    { path: `/api/v1/services/${service.body.uuid}`, field: 'friendly_name' },
    { path: `/api/v1/webhooks/${webhook.body.id}`, field: 'name' },
  ]
  for (const { path, field } of objects) {
    for (let round = 0; round < rounds; round += 1) {
      const { headers } = await one.anna.request('GET', path)
      const replies = await both(async (api, name) =>
        api.anna.request('PATCH', path, {
          body: { [field]: `${name} ${round}` },
          headers: { 'if-match': headers.get('etag') ?? '' },
        }),
      )
      expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 412])
    }
    // Without If-Match both are done, and neither undoes what the other one changed.
    const replies = await Promise.all([
      one.anna.request('PATCH', path, { body: { [field]: 'last' } }),
      other.anna.request('PATCH', path, {
        body: field === 'name' ? { retries: 7 } : { country: 'AU' },
      }),
    ])
    expect(replies.map(({ status }) => status)).toEqual([200, 200])
    const { body } = await one.anna.request('GET', path)
    expect(body).toMatchObject({
      [field]: 'last',
      ...(field === 'name' ? { retries: 7 } : { country: 'AU' }),
    })
  }

  const [, { path }] = objects as [unknown, { readonly path: string }]
  const { headers } = await one.anna.request('GET', path)
  const replies = await both(async (api, name) => {
    const guard = { headers: { 'if-match': headers.get('etag') ?? '' } }
    return name === 'one'
      ? await api.anna.request('POST', `${path}/disable`, guard)
      : await api.anna.request('PATCH', path, { body: { retries: 9 }, ...guard })
  })
  expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 412])
})
