/** Templates in their processes: nobody waits for another's, whatever that does. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { Payload } from '#contracts/webhook/payload.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { templateLimits } from '#server/domain/render/template.ts'
import { createTemplates, type Templates } from '#server/pipeline/templates.ts'

let templates: Templates
beforeAll(() => {
  templates = createTemplates()
})
afterAll(async () => await templates.close())

const sample = eventSamples['call.ended']
const body = nativeBody(sample)
const settingsOf = (template: string) => ({
  ...plainRequest,
  payload: Payload.parse({ style: 'template', template, content_type: 'text/plain' }),
})
const url = 'https://crm.example/hook'
const requestsOf = (template: string) => templates.requests(url, settingsOf(template), '1.2.3')

const looping = '{% for leg in legs %}{{ leg.name }} {% endfor %}'
const endless =
  '{% assign a = (1..1000) %}{% for i in a %}{% for j in a %}{% for k in a %}{% endfor %}{% endfor %}{% endfor %}'

test('a request from the process is the one that is made here', async () => {
  const here = prepareRequests(url, settingsOf(looping), '1.2.3')
  expect(here.watched).toBe(true)
  expect(await requestsOf(looping)(body)).toEqual(here.render(body))
})

test('what is wrong, and a preview, come from there as well', async () => {
  const { payload } = settingsOf('{% fro x %}')
  if (payload.style !== 'template') throw new Error('not a template')
  expect(await templates.problems('acc_1', payload)).toEqual([
    { path: ['payload', 'template'], message: 'line 1, column 1: tag "fro" not found' },
  ])
  const previewed = { event: sample, url, request: settingsOf(looping), version: '1', now: 0 }
  const { body: text } = await templates.preview('acc_1', previewed)
  expect(text).toBe(requestTextHere())
})

const requestTextHere = () => prepareRequests(url, settingsOf(looping), '1').render(body).body

describe('a hostile one', () => {
  test('fails by its own fault and holds up neither the event loop nor, after its first time, a good one', async () => {
    const good = requestsOf(looping)
    const hostile = requestsOf(endless)
    // Both processes are there.
    await good(body)
    await expect(hostile(body)).rejects.toThrow(
      /^The template failed: it took longer than 100 ms\.$/,
    )
    await expect(hostile(body)).rejects.toThrow(NotRenderedError)

    const before = process.threadCpuUsage()
    const failing = Array.from({ length: 10 }, () => hostile(body).catch((error: unknown) => error))
    const over = Promise.all(failing)
    let hostileIsOver = false
    const noted = over.then(() => {
      hostileIsOver = true
    })
    let made = 0
    for (; made < 100; made += 1) await good(body)
    expect(hostileIsOver).toBe(false)
    await noted
    for (const failure of await over) expect(failure).toBeInstanceOf(NotRenderedError)
    // On the event loop each of the ten would have taken its whole time of the processor.
    const { user } = process.threadCpuUsage(before)
    expect(user / 1000).toBeLessThan(templateLimits.renderMs * 5)
  })

  test('takes turns with another hostile one', async () => {
    const hostile = ['a', 'b'].map((name) => ({ name, render: requestsOf(`${name}${endless}`) }))
    // Then both are known to be slow.
    await Promise.allSettled(hostile.map(({ render }) => render(body)))
    const order: string[] = []
    const jobs = hostile.flatMap(({ name, render }) =>
      [1, 2, 3].map(async () => {
        await render(body).catch(() => undefined)
        order.push(name)
      }),
    )
    await Promise.all(jobs)
    expect(order.join('')).toMatch(/^(ab|ba){3}$/)
  })
})

describe('a process that dies', () => {
  test('of too much memory ends with its job alone', async () => {
    const after = requestsOf(looping)
    // Beyond what the engine counts: an event as no PBX makes it.
    const huge = `[${'{"a":{"b":"c"}},'.repeat(8_000_000)}0]`
    const failed = templates.requests(url, settingsOf('x'), '1')(huge)
    const next = after(body)
    await expect(failed).rejects.toThrow('The template failed: it takes too much memory.')
    expect((await next).body).toBe(requestTextHere())
  })

  test('because somebody killed it is replaced, and its job done all the same', async () => {
    const render = requestsOf(looping)
    await render(body)
    const under = Array.from({ length: 20 }, () => render(body))
    const children = await childrenOf(process.pid)
    expect(children.length).toBeGreaterThan(0)
    for (const pid of children) process.kill(pid, 'SIGKILL')
    for (const request of await Promise.all(under)) expect(request.body).toBe(requestTextHere())
  })
})

/** The processes of templates among the children of a process. */
async function childrenOf(pid: number): Promise<number[]> {
  const ids = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const found = await Promise.all(
    ids
      .split(' ')
      .filter(Boolean)
      .map(async (id) => ({
        pid: Number(id),
        command: await readFile(`/proc/${id}/cmdline`, 'utf8'),
      })),
  )
  return found.filter(({ command }) => command.includes('template-program')).map((one) => one.pid)
}

test('closed, it waits for nobody', async () => {
  const own = createTemplates()
  const hostile = own.requests(url, settingsOf(endless), '1')
  await expect(hostile(body)).rejects.toThrow(NotRenderedError)
  const jobs = Promise.allSettled(Array.from({ length: 50 }, () => hostile(body)))
  const began = performance.now()
  await own.close()
  for (const { status } of await jobs) expect(status).toBe('rejected')
  expect(performance.now() - began).toBeLessThan(2_000)
})
