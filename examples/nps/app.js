/** Net Promoter Score: what callers press in an IVR, kept with the recording of their call. */
import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
// In a project of its own: install offhook-receiver, and import { verify } from 'offhook-receiver'.
import { VerificationError, verify } from '../../receiver/index.js'
import { openScores } from './scores.js'

const { SECRET, API, API_KEY, IVR = 'nps', PORT = '9300', FOLDER = '.' } = process.env
if (!SECRET?.startsWith('whsec_') || !API || !API_KEY) {
  stop('SECRET (of the webhook, whsec_…), API (http://127.0.0.1:8420) and API_KEY must be set.')
}

const largestBody = 1024 * 1024
mkdirSync(FOLDER, { recursive: true })
const scores = openScores(join(FOLDER, 'scores.db'))

async function take(event) {
  switch (event.type) {
    case 'ivr.option_selected':
      if (event.ivr.name !== IVR || !event.ivr.valid) return
      scores.add(event)
      // The call may be over: an event that was refused once comes again behind those after it.
      return await keepRecording(event.call.uuid)
    case 'call.ended':
      // The recording is complete when the call is over.
      return await keepRecording(event.call.uuid)
  }
}

/** Fails where the API does: the event then comes again. */
async function keepRecording(callUuid) {
  if (!scores.lacksRecording(callUuid)) return
  const { items } = await (await ask(`/api/v1/calls/${callUuid}/recordings`)).json()
  const recording = items.find(({ kind }) => kind === 'recording')
  if (recording === undefined) return console.log(`no recording of ${callUuid}, or none yet`)
  const audio = await ask(`/api/v1/calls/${callUuid}/recordings/${recording.id}/audio`)
  if (!audio.ok) return
  const file = join(FOLDER, `${callUuid}.wav`)
  await writeFile(file, Buffer.from(await audio.arrayBuffer()))
  scores.addRecording(callUuid, file)
}

async function ask(path) {
  const answer = await fetch(API + path, { headers: { authorization: `Bearer ${API_KEY}` } })
  if (answer.ok) return answer
  const why = `${path} answered ${answer.status}`
  // The audio was removed, or is where Offhook cannot read it: nobody gets it by asking again.
  if (![409, 410].includes(answer.status)) throw new Error(why)
  console.error(why)
  return answer
}

const server = createServer(async (request, response) => {
  try {
    // More than any event has, or (NaN) of unknown length: it is not read.
    if (!(Number(request.headers['content-length']) <= largestBody)) {
      return response.writeHead(413).end()
    }
    const body = Buffer.concat(await Array.fromAsync(request))
    const event = await verify(body, request.headers, SECRET)
    // A test event is signed as any other, and nobody has pressed anything.
    if (request.headers['webhook-test'] === undefined) await take(event)
    response.writeHead(204).end()
  } catch (error) {
    console.error(error.message)
    response.writeHead(error instanceof VerificationError ? 401 : 500).end()
  }
})
server.on('error', (error) => stop(error.message))
server.listen(Number(PORT), '127.0.0.1', () => console.log(`nps listens on ${PORT}`))

process.once('SIGTERM', () => server.close(() => scores.close()))

function stop(why) {
  console.error(why)
  process.exit(1)
}
