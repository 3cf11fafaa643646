/** A Webhook object of a call flow, from the PBX document over a real call to the request that its receiver gets. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { anna, answersAfter, talk } from '#test/asterisk/people.ts'
import { play } from '#test/asterisk/play.ts'
import { documentFor, type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { startReceiver } from '#test/support/receiver.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
beforeEach(({ onTestFailed }) => onTestFailed(() => showLog(stack)))
afterAll(async () => await stack?.[Symbol.asyncDispose]())

test('a call that passes the object is told to its own receiver, in the Phone Cloud format', async () => {
  await using own = await startReceiver()
  const document = documentFor(stack.ports)
  const webhook = {
    url: `${own.url}vip`,
    secret_token: 'secret-of-the-object',
    headers: [{ name: 'X-Campaign', value: 'spring' }],
  }
  const components = document.components.map((component) => ({ ...component, webhook }))
  await stack.offhook.api('PUT', `/services/${stack.service.uuid}/pbx`, { ...document, components })
  const phones = { 201: answersAfter(500) }
  await play({ callers: [anna('1001', ...talk(1_000))], phones }, stack.ports)
  await play({ callers: [anna('1009', ...talk(1_000))], phones }, stack.ports)
  const [request, ...rest] = await own.waitFor((all) => all.length > 0, 'the request')
  await stack.receiver.waitFor(
    (all) => all.filter(({ event }) => event?.type === 'call.ended').length === 2,
    'the end of both calls',
  )
  expect(rest).toEqual([])
  expect(request).toMatchObject({
    method: 'POST',
    path: '/vip',
    headers: { 'x-pbx-token': 'secret-of-the-object', 'x-campaign': 'spring' },
  })
  const told = stack.receiver.requests.find(
    ({ event }) => event?.type === 'webhook_component_event',
  )
  const event = told?.event?.type === 'webhook_component_event' ? told.event : null
  expect(JSON.parse(request?.body.toString() ?? '')).toEqual({
    type: 'webhook_component_event',
    unique_call_id: event?.call.uuid,
    user_name: event?.call.source.name,
    user_number: event?.call.source.raw,
    dest_number: '1009',
    call_start_at: event?.call.started_at,
    component_name: 'vip-caller',
  })
})
