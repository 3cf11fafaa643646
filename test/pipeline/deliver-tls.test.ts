/** Certificates from the API's store to a real receiver that asks for one. */
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { putAuthorities, putClientCertificate } from '#server/store/tls-identities.ts'
import { acceptanceOf, callEvent, makeTenant, makeWebhook } from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { makeAuthority } from '#test/support/authority.ts'
import { listening, loopbackPolicy, portOf, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

test('a receiver with an authority of its own gets the certificate of the webhook, and a new one when it changes', async () => {
  await using parts = new AsyncDisposableStack()
  const { store } = parts.use(await openSqliteTestStore())
  const authority = parts.use(await makeAuthority())
  const { certificate, privateKey } = await authority.issue('localhost', ['DNS:localhost'])
  const shown: string[] = []
  const server = createServer(
    { key: privateKey, cert: certificate, ca: authority.certificate, requestCert: true },
    (request, response) => {
      shown.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN))
      request.resume().on('end', () => response.end())
    },
  )
  await listening(server)
  parts.defer(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  const tenant = await makeTenant(store)
  const account = tenant.account.id
  const url = `https://localhost:${portOf(server)}/`
  const webhook = await makeWebhook(store, tenant, { url, retries: 0 })
  const sender = parts.adopt(createSender({ policy: loopbackPolicy }), (s) => s.close())
  const end = new AbortController()
  const note = () => undefined
  const ended = runDeliver(
    {
      store,
      sender,
      templates,
      version: 'test',
      maxInFlight: 8,
      stopMs: 1_000,
      disableAfterMs: null,
      log: { info: note, warn: note, error: note },
      now: Date.now,
    },
    end.signal,
  )
  parts.defer(async () => {
    end.abort()
    await ended
  })
  const send = async (call: string) => {
    const before = await countDeliveries(store, account, webhook.id)
    const over = (c: typeof before) => c.delivered + c.exhausted
    await acceptEvents(store, acceptanceOf(tenant, [callEvent(tenant, call)], { now: Date.now() }))
    const after = await waitUntil(
      async () => {
        const counts = await countDeliveries(store, account, webhook.id)
        return over(counts) > over(before) && counts
      },
      { what: 'the delivery is over' },
    )
    return after.delivered > before.delivered
  }

  expect(await send('nobody trusted')).toBe(false)
  await putAuthorities(store, account, authority.certificate)
  expect(await send('trusted, nothing shown')).toBe(false)
  for (const name of ['first', 'second']) {
    const issued = await authority.issue(name, [`DNS:${name}`])
    await putClientCertificate(store, account, webhook.id, {
      certificate: issued.certificate,
      private_key: issued.privateKey,
    })
    expect(await send(name)).toBe(true)
    expect(await send(`${name} again`)).toBe(true)
  }
  expect(shown).toEqual(['first', 'first', 'second', 'second'])
})
