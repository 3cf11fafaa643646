/** A new signing secret: what receivers with either one see, until the overlap is over and after it. */
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { WebhookChange } from '#contracts/webhook/webhook.ts'
import { sweep } from '#server/pipeline/housekeep.ts'
import { rotateSecret } from '#server/store/rotate-secret.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook } from '#server/store/webhooks.ts'
import type { OpenTestStore } from '#test/conformance/test-store.ts'
import type { ReceivedRequest } from '#test/support/receiver.ts'
import { type OneWebhook, oneWebhook, signingSecret } from './one-webhook.ts'

const ended = eventSamples['call.ended']
const secretNamed = (name: string) =>
  `whsec_${Buffer.from(name.padEnd(24, '.')).toString('base64')}`

/** Whether the official library takes the request with this secret. */
function verifies({ headers, body }: ReceivedRequest, secret: string): boolean {
  try {
    new StandardWebhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}
const signatures = ({ headers }: ReceivedRequest) => String(headers['webhook-signature']).split(' ')

let sent = 0
const next = async (one: OneWebhook) => {
  sent += 1
  return await one.send({ ...ended, id: `evt_${sent}` })
}
const rotate = async (one: OneWebhook, secret: string, overlap: number, now = Date.now()) =>
  await rotateSecret(
    one.store,
    one.tenant.account.id,
    one.webhook.id,
    { secret, overlap_seconds: overlap },
    now,
  )
const storedSecrets = async (store: Store) => {
  const row = await store.read
    .selectFrom('webhook')
    .select(['secrets', 'previous_secret_until'])
    .executeTakeFirstOrThrow()
  return { count: JSON.parse(row.secrets).length, until: row.previous_secret_until }
}

export function runSigningSecrets(open: OpenTestStore): void {
  test('two signatures until the overlap is over, the new one first; then the old secret is gone', async () => {
    let ahead = 0
    const now = () => Date.now() + ahead
    await using one = await oneWebhook({}, { now, open })
    const second = secretNamed('second')
    expect(verifies(await next(one), signingSecret)).toBe(true)

    const at = now()
    expect(await rotate(one, second, 60, at)).toMatchObject({
      secret: second,
      previous_secret_until: new Date(at + 60_000).toISOString(),
    })
    const both = await next(one)
    expect(signatures(both)).toHaveLength(2)
    expect([verifies(both, signingSecret), verifies(both, second)]).toEqual([true, true])
    const [first] = signatures(both)
    const alone = { ...both, headers: { ...both.headers, 'webhook-signature': first } }
    expect(verifies(alone, second)).toBe(true)

    // As far as the libraries let the clocks be apart.
    ahead = 61_000
    const after = await next(one)
    expect(signatures(after)).toHaveLength(1)
    expect([verifies(after, signingSecret), verifies(after, second)]).toEqual([false, true])

    expect((await storedSecrets(one.store)).count).toBe(2)
    await sweep({ store: one.store, retentionDays: 30, now }, new AbortController().signal)
    expect(await storedSecrets(one.store)).toEqual({ count: 1, until: null })
    expect(verifies(await next(one), second)).toBe(true)
  })

  test('housekeeping leaves a secret whose time is not over', async () => {
    await using one = await oneWebhook({}, { open })
    await rotate(one, secretNamed('second'), 60)
    const deps = { store: one.store, retentionDays: 30, now: Date.now }
    await sweep(deps, new AbortController().signal)
    expect((await storedSecrets(one.store)).count).toBe(2)
  })

  test('rotated twice within the overlap: the oldest is gone at once', async () => {
    await using one = await oneWebhook({}, { open })
    const [second, third] = [secretNamed('second'), secretNamed('third')]
    await rotate(one, second, 3600)
    await rotate(one, third, 3600)
    const request = await next(one)
    expect(signatures(request)).toHaveLength(2)
    expect([signingSecret, second, third].map((secret) => verifies(request, secret))).toEqual([
      false,
      true,
      true,
    ])
  })

  test.each([
    [
      'a rotation without overlap',
      async (one: OneWebhook, secret: string) => rotate(one, secret, 0),
    ],
    [
      'a change of the secret',
      async (one: OneWebhook, secret: string) => {
        const change = WebhookChange.parse({ secret })
        await changeWebhook(one.store, one.tenant.account.id, one.webhook.id, change, Date.now())
      },
    ],
  ])('%s ends all others, a previous one too', async (_name, replace) => {
    await using one = await oneWebhook({}, { open })
    await rotate(one, secretNamed('second'), 3600)
    const last = secretNamed('last')
    await replace(one, last)
    const request = await next(one)
    expect(signatures(request)).toHaveLength(1)
    expect(verifies(request, last)).toBe(true)
    expect(await storedSecrets(one.store)).toEqual({ count: 1, until: null })
  })

  test('what waits for its retry is signed with the secrets of its time', async () => {
    await using one = await oneWebhook({ retries: 1 }, { open })
    one.receiver.setMode('fail')
    await next(one)
    one.receiver.setMode('ok')
    const second = secretNamed('second')
    await rotate(one, second, 3600)
    const requests = await one.receiver.waitFor((all) => all.length > 1, 'the retry')
    expect(requests[1] && verifies(requests[1], second)).toBe(true)
  })
}
