import type { FastifyReply, FastifyRequest } from 'fastify'
import { api } from '#contracts/api.ts'
import type { CallRecording } from '#contracts/call-recording.ts'
import type { ProblemCode } from '#contracts/problem.ts'
import { audioLink, checkAudioLink, linksOf } from '#server/domain/audio-link.ts'
import type { AudioSender } from '#server/http/audio.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { register, type Serving, serve } from '#server/http/serve.ts'
import type { NoCallAudio } from '#server/pipeline/call-audio.ts'
import { type AudioEvent, getAudioEvent, listAudioOfCall } from '#server/store/recordings.ts'

const noAudio: Readonly<Record<NoCallAudio, ProblemCode>> = {
  not_named: 'audio_not_here',
  gone: 'audio_gone',
  unreachable: 'audio_unreachable',
}

/** `sender` sends the files. */
export function serveCalls(serving: Serving, deps: RouteDeps, sender: AudioSender): void {
  const { store, now, links, openAudio } = deps

  const send = async (
    request: FastifyRequest,
    reply: FastifyReply,
    event: AudioEvent,
    download: string,
  ) => {
    const opened = await openAudio(event)
    if (typeof opened === 'string') throw new ProblemError(noAudio[opened])
    const file = { ...opened, accountId: event.account.id, download: download === '1' }
    return await sender.send(request, reply, file)
  }

  serve(serving, api.listCallRecordings, async ({ caller, params }) => {
    const events = found(await listAudioOfCall(store, caller.id, params.uuid))
    return { items: events.map((event) => recordingOf(event, links, now())) }
  })
  register(serving, api.getRecordingAudio, async (request, reply, { caller, params, query }) => {
    const event = found(await getAudioEvent(store, params.id))
    const own = event.account.id === caller.id && event.call.uuid === params.uuid
    if (!own) throw new ProblemError('not_found')
    return await send(request, reply, event, query.download)
  })
  register(serving, api.getPublicRecording, async (request, reply, { params, query }) => {
    const { expires, signature, download } = query
    const verdict = checkAudioLink(links.key, { eventId: params.id, expires, signature }, now())
    if (verdict === 'wrong') throw new ProblemError('link_wrong')
    if (verdict === 'expired') throw new ProblemError('link_expired')
    return await send(request, reply, found(await getAudioEvent(store, params.id)), download)
  })
}

function recordingOf(event: AudioEvent, links: RouteDeps['links'], now: number): CallRecording {
  const making = linksOf(links)
  const message = event.type === 'voicemail.left' ? event.voicemail : null
  const recording = event.type === 'voicemail.left' ? null : event.recording
  const { recorded_at, duration, file } =
    event.type === 'voicemail.left' ? event.voicemail : event.recording
  return {
    id: event.id,
    type: event.type,
    kind: message === null ? 'recording' : 'voicemail',
    recorded_at,
    duration,
    bytes: recording?.bytes ?? null,
    file,
    mailbox: message?.mailbox ?? null,
    user: event.user,
    url: `${links.publicUrl ?? ''}/api/v1/calls/${event.call.uuid}/recordings/${event.id}/audio`,
    public_url: making && audioLink(making, event.id, now),
  }
}
