/** What was recorded in a call. */
import { z } from 'zod'
import { CallRecording } from '#contracts/call-recording.ts'
import { EventId } from '#contracts/ids.ts'
import { route } from '#contracts/route.ts'

const download = z
  .enum(['0', '1'])
  .default('0')
  .meta({ description: '1: to be saved under its name, instead of being played.' })

export const callsRoutes = {
  listCallRecordings: route({
    method: 'GET',
    path: '/api/v1/calls/:uuid/recordings',
    tag: 'Calls',
    summary: 'List what was recorded in a call: recordings and voicemail messages, oldest first.',
    params: z.strictObject({ uuid: z.uuid() }),
    answer: z.object({ items: z.array(CallRecording) }),
    problems: ['not_found'],
  }),

  getRecordingAudio: route({
    method: 'GET',
    path: '/api/v1/calls/:uuid/recordings/:id/audio',
    tag: 'Calls',
    summary: 'Play or download a recording or a voicemail message.',
    params: z.strictObject({ uuid: z.uuid(), id: EventId }),
    query: z.strictObject({ download }),
    media: 'audio/*',
    problems: [
      'not_found',
      'audio_not_here',
      'audio_gone',
      'audio_unreachable',
      'range_not_satisfiable',
      'too_many_downloads',
    ],
  }),

  getPublicRecording: route({
    method: 'GET',
    path: '/api/v1/recordings/:id/public',
    tag: 'Calls',
    summary: 'The same by a link of an event, without an API key, until the link expires.',
    guard: 'none',
    params: z.strictObject({ id: EventId }),
    query: z.strictObject({
      expires: z
        .string()
        .regex(/^\d{1,12}$/, 'must be seconds since 1970')
        .transform(Number)
        .meta({ description: 'Epoch seconds.' }),
      signature: z.string().max(100).meta({ description: 'As the link of the event has it.' }),
      download,
    }),
    media: 'audio/*',
    problems: [
      'not_found',
      'link_wrong',
      'link_expired',
      'audio_not_here',
      'audio_gone',
      'audio_unreachable',
      'range_not_satisfiable',
      'too_many_downloads',
    ],
  }),
} as const
