/**
 * `examples/nps` with a real Asterisk: `set-up.js` puts the IVR into the PBX; Anna is recorded while she talks with Alice,
 * is transferred to the virtual extension of the IVR, and presses 9; the score is kept with the recording of the call.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { endedCalls } from '#test/asterisk/arrivals.ts'
import { temporaryFolder } from '#test/asterisk/pbx/demo.ts'
import { anna, phone } from '#test/asterisk/people.ts'
import { play } from '#test/asterisk/play.ts'
import { type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import {
  answered,
  awaitHangUp,
  press,
  ringThenAnswer,
  speak,
  transferTo,
  wait,
} from '#test/support/sipp-scenario.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const programs = join(projectFolder, 'examples/nps')

let stack: Stack
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let env: Record<string, string>
let app: ChildProcess
let output = ''

/** Runs a program of the example to its end, as its README says; gives what it prints. */
async function run(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(programs, program)], { env })
  return stdout.trim()
}

beforeAll(async () => {
  stack = await startStack()
  const { offhook } = stack
  folder = await temporaryFolder()
  env = {
    ...{ API: offhook.url, PORT: String(await freeTcpPort()), FOLDER: folder.path },
    API_KEY: (await readFile(join(offhook.dataFolder, 'api-key'), 'utf8')).trim(),
  }
  const secret = await run('set-up.js')
  app = spawn(process.execPath, [join(programs, 'app.js')], {
    env: { ...env, SECRET: secret },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [app.stdout, app.stderr]) {
    stream?.on('data', (text) => {
      output += text
    })
  }
  await waitUntil(() => output.includes('listens'), { what: 'the app of the example listens' })
})
beforeEach(({ onTestFailed }) =>
  onTestFailed(() => {
    showLog(stack)
    process.stderr.write(`The app of the example:\n${output.slice(-4_000)}\n`)
  }),
)
afterAll(async () => {
  app?.kill()
  await stack?.[Symbol.asyncDispose]()
  await folder?.[Symbol.asyncDispose]()
})

test('a caller who was transferred leaves a score, which is kept with the recording of the call', async () => {
  const { ports, receiver } = stack
  await play(
    {
      callers: [anna('1005', answered, speak, wait(5_000), press('9'), awaitHangUp)],
      phones: { 201: phone(ringThenAnswer(500), wait(1_500), transferTo('650')) },
    },
    ports,
  )
  await receiver.waitFor((all) => endedCalls(all) === 1, 'the end of the call', 30_000)
  const ended = receiver.requests.find(({ event }) => event?.type === 'call.ended')?.event
  using table = new DatabaseSync(join(folder.path, 'scores.db'), { readOnly: true })
  const rows = () => table.prepare('select * from score').all()
  await waitUntil(() => rows().some(({ recording }) => recording !== null), {
    what: 'the score has its recording',
    timeoutMs: 30_000,
  })
  if (ended?.type !== 'call.ended') throw new Error('the call has not ended')
  const { uuid, source, destination } = ended.call
  expect(rows()).toMatchObject([
    {
      call_uuid: uuid,
      score: 9,
      ivr: 'nps',
      source: source.number ?? source.raw,
      destination: destination.number ?? destination.raw,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      recording: join(folder.path, `${uuid}.wav`),
    },
  ])
  const audio = await readFile(join(folder.path, `${uuid}.wav`))
  expect(audio.subarray(0, 4).toString()).toBe('RIFF')
  expect(audio.length).toBeGreaterThan(8_000)
  expect(await run('list.js')).toMatch(new RegExp(`'${uuid}'.* 9 .*'nps'`))
}, 120_000)
