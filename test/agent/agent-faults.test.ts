/** Lines are cut, agent and server are killed, files are rotated: nothing is lost, nothing is told twice. */
import { once } from 'node:events'
import { rename } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createServer } from 'node:tls'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type AgentStack, startAgentStack } from '#test/agent/agent-stack.ts'
import { callRows } from '#test/agent/written-calls.ts'
import {
  checkNothingLost,
  checkRequests,
  endedCalls,
  eventsOf,
  hears,
} from '#test/asterisk/arrivals.ts'
import { allDelivered } from '#test/asterisk/stack.ts'
import type { AgentProcess } from '#test/support/agent-process.ts'
import { makeCertificate } from '#test/support/certificate.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import { inboundAnsweredBy201 } from '#test/traces/expected/building-blocks.ts'

// Several processes one after the other, on machines that have other things to do.
vi.setConfig({ testTimeout: 60_000 })

let stack: AgentStack
beforeEach(async ({ onTestFailed }) => {
  onTestFailed(() => void process.stderr.write(`${stack?.offhook.output()}\n`))
  stack = await startAgentStack(callRows(0, Date.now() - 60_000).join(''))
}, 60_000)
afterEach(async () => await stack?.[Symbol.asyncDispose]())

const call = inboundAnsweredBy201('1001', 'caller', { duration: 4, ring: 1, bill: 3 })

const timeOf = (row: string) => Number(row.split('","')[2])

/** Rows of that many calls, a tenth of a second apart, as the PBX writes them: in the order of time, mixed. */
function manyCalls(calls: number): string[] {
  const end = Date.now()
  const rows = Array.from({ length: calls }, (_, at) => callRows(at + 1, end + at * 100))
  return rows.flat().sort((a, b) => timeOf(a) - timeOf(b))
}

/** All calls have arrived, complete, and what was stored is what arrived. */
async function checkAll(calls: number): Promise<void> {
  const { receiver, offhook } = stack
  await receiver.waitFor((all) => endedCalls(all) >= calls, `the end of ${calls} calls`, 60_000)
  await allDelivered({ offhook })
  const events = eventsOf(receiver.requests)
  checkCalls(
    events,
    Array.from({ length: calls }, () => call),
  )
  await checkNothingLost(stack)
}

test('cuts and kills of both sides while calls are written', async () => {
  const calls = 200
  await using agent = stack.startAgent()
  await stack.caughtUp()
  const faults = faultsOf(agent)
  const rows = manyCalls(calls)
  const each = Math.ceil(rows.length / faults.length)
  for (const [at, fault] of faults.entries()) {
    const some = rows.slice(at * each, (at + 1) * each)
    // In two parts, the first without the end of its last row, as a reader finds a file that is being written.
    const text = some.join('')
    const half = Math.floor(text.length / 2)
    await stack.write(text.slice(0, half))
    const hit = fault()
    await stack.write(text.slice(half))
    await hit
  }
  await checkAll(calls)
}, 180_000)

/** In an order that has each of them behind each other; when exactly within the shipping, chance decides. */
function faultsOf(agent: AgentProcess): readonly (() => Promise<void>)[] {
  const { line, offhook } = stack
  const sometime = () => pause(Math.random() * 60)
  const cut = async () => {
    await sometime()
    await line.cut()
    await line.restore()
  }
  const killAgent = async () => {
    await sometime()
    await agent.kill()
    agent.start()
  }
  const killServer = async () => {
    await sometime()
    await offhook.kill()
    await offhook.start()
  }
  const both = async () => {
    await Promise.all([killServer(), killAgent()])
  }
  const restartServer = async () => {
    await sometime()
    expect(await offhook.stop()).toBe(0)
    await offhook.start()
  }
  return [cut, killAgent, cut, killServer, killAgent, both, cut, restartServer, killAgent, cut]
}

test('the record is moved away while the server is down, as logrotate does', async () => {
  const { celPath, offhook } = stack
  await using _agent = stack.startAgent()
  await stack.caughtUp()
  const rows = manyCalls(10)
  await stack.write(rows.slice(0, 50).join(''))
  await offhook.kill()
  await stack.write(rows.slice(50, 80).join(''))
  await rename(celPath, `${celPath}.1`)
  await stack.write(rows.slice(80, 120).join(''))
  await rename(`${celPath}.1`, `${celPath}.2`)
  await rename(celPath, `${celPath}.1`)
  await stack.write(rows.slice(120).join(''))
  await offhook.start()
  await checkAll(10)
})

test('the line goes dead without a word: what was committed is not sent again', async () => {
  const { line, receiver } = stack
  await using agent = stack.startAgent()
  await stack.caughtUp()
  line.swallowAnswers()
  await stack.write(callRows(1, Date.now()).join(''))
  await receiver.waitFor(
    (all) => endedCalls(all) === 1,
    'the call, whose commit the agent cannot hear of',
  )
  const before = receiver.requests.length
  await hears(receiver, before, 'service.link.down')
  expect((await stack.shown()).status).toMatchObject({
    pbx: 'down',
    reason: 'The agent: no answer.',
  })
  await stack.write(callRows(2, Date.now() - 10_000).join(''))
  await line.cut()
  await line.restore()
  await hears(receiver, before, 'service.link.up')
  await checkAll(2)
  checkRequests(receiver.requests)
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
  expect(agent.output()).toContain('agent: not shipped')
}, 60_000)

test('a record full of what is no row holds up nothing', async () => {
  await using agent = stack.startAgent()
  await stack.caughtUp()
  await stack.write('x\n'.repeat(300_000))
  await stack.write(callRows(1, Date.now()).join(''))
  await checkAll(1)
  expect(agent.output()).toContain('further rows not read; is it the right file?')
  // One for each batch and a few rows of it, not one for each row.
  expect(agent.output().length).toBeLessThan(20_000)
})

test('over TLS, by an authority of one’s own; without it nothing is sent', async () => {
  await using tls = await makeCertificate()
  const port = await freeTcpPort()
  const server = createServer({ key: tls.key, cert: tls.cert }, (socket) => {
    const upstream = connect(stack.line.port, '127.0.0.1')
    socket.pipe(upstream).pipe(socket)
    socket.on('error', () => upstream.destroy())
    upstream.on('error', () => socket.destroy())
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = { server: `https://localhost:${port}` }
  await using stranger = stack.startAgent(address)
  await waitUntil(() => stranger.output().includes('self-signed certificate'), {
    what: 'the certificate is refused',
  })
  expect((await stack.shown()).status.agent?.connected).toBe(false)
  await stranger.stop()
  await using trusting = stack.startAgent({ ...address, more: ['--ca', tls.certFile] })
  await stack.caughtUp()
  await stack.write(callRows(1, Date.now()).join(''))
  await checkAll(1)
  await trusting.stop()
  server.close()
  await once(server, 'close')
})
