/** The billing example, killed while it receives: every call once, and none missing of those that were answered for. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { projectFolder } from '#server/config.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const secret = newSecret(Buffer.from('0123456789abcdef01234567'))
const sample = eventSamples['call.ended']

/** The n-th call. */
const callEnded = (n: number) => ({
  ...sample,
  id: `evt_${n}`,
  call: { ...sample.call, uuid: `call-${n}` },
})

async function billingFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-billing-'))
  const port = await freeTcpPort()
  const url = `http://127.0.0.1:${port}/`
  const database = join(folder, 'calls.db')

  async function start() {
    const child = spawn(process.execPath, [join(projectFolder, 'examples/billing/receiver.js')], {
      env: { SECRET: secret, PORT: String(port), DATABASE: database },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    await once(child.stdout, 'data')
    child.stdout.resume()
    return {
      kill: async () => {
        child.kill('SIGKILL')
        await exited
      },
    }
  }
  /** Null: no answer came. */
  async function post(event: typeof sample, marks: Record<string, string> = {}) {
    const body = nativeBody(event)
    const signed = signatureHeaders({ id: event.id, at: Date.now(), body }, [secret])
    return await fetch(url, { method: 'POST', body, headers: { ...signed, ...marks } }).then(
      ({ status }) => status,
      () => null,
    )
  }
  function billed(): readonly string[] {
    using table = new DatabaseSync(database, { readOnly: true })
    return table
      .prepare('select event_id from call order by rowid')
      .all()
      .map((row) => String(row.event_id))
  }
  const remove = async () => await rm(folder, { recursive: true })
  return { start, post, billed, [Symbol.asyncDispose]: remove }
}

test('killed again and again between receiving and answering: each call once', async () => {
  await using billing = await billingFolder()
  const calls = Array.from({ length: 120 }, (_, n) => callEnded(n))
  const due = new Set(calls)
  let unanswered = 0
  for (let round = 0; due.size > 0; round += 1) {
    const app = await billing.start()
    const answered: Promise<void>[] = []
    for (const call of due) {
      const posting = billing.post(call).then((status) => {
        if (status === 204) due.delete(call)
        else unanswered += 1
      })
      answered.push(posting)
    }
    // The first rounds die when some are answered and others are not; the last one lives.
    if (round < 4) {
      await waitUntil(() => due.size <= calls.length - 25 * (round + 1), {
        what: 'some are billed',
      })
      await app.kill()
    }
    await Promise.all(answered)
    const rows = billing.billed()
    for (const call of calls) if (!due.has(call)) expect(rows).toContain(call.id)
    if (round >= 4) await app.kill()
  }
  expect(unanswered).toBeGreaterThan(0)
  expect([...billing.billed()].sort()).toEqual(calls.map(({ id }) => id).sort())
})

test('what is no new call is not billed: a test event, the same call again, other events', async () => {
  await using billing = await billingFolder()
  const app = await billing.start()
  try {
    expect(await billing.post(callEnded(0), { 'webhook-test': 'true' })).toBe(204)
    expect(billing.billed()).toEqual([])
    expect(await billing.post(callEnded(1))).toBe(204)
    expect(await billing.post(callEnded(1))).toBe(204)
    expect(await billing.post({ ...callEnded(1), id: 'evt_other' })).toBe(204)
    expect(billing.billed()).toEqual(['evt_1'])
  } finally {
    await app.kill()
  }
})
