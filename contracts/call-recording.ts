import { z } from 'zod'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { Timestamp, UserRef } from '#contracts/events/facts.ts'
import { EventId } from '#contracts/ids.ts'

/** Audio of a call, as the event told of it that was told when it was complete. */
export const CallRecording = z
  .object({
    id: EventId.meta({ description: 'That of the event that told of it.' }),
    kind: z.enum(['recording', 'voicemail']),
    type: EventTypeName.meta({ description: 'Type of that event.' }),
    recorded_at: Timestamp.meta({
      description: 'When the recording started; of a message when it was left.',
    }),
    duration: z.int().nullable().meta({ unit: 's' }),
    bytes: z.int().nullable().meta({ description: 'Null: the PBX did not tell.', unit: 'bytes' }),
    file: z.string().meta({ description: 'Name of the file on the PBX.' }),
    mailbox: z.string().nullable().meta({ description: 'Null: not a message.' }),
    user: UserRef.nullable(),
    url: z.string().meta({
      description:
        'Address of the audio, for whoever has an API key; without OFFHOOK_PUBLIC_URL from /api/v1 on.',
    }),
    public_url: z.string().nullable().meta({
      description:
        'Link that works without an API key, from now on for OFFHOOK_RECORDING_LINK_TTL; null: OFFHOOK_PUBLIC_URL is not set.',
    }),
  })
  .meta({ id: 'CallRecording' })
export type CallRecording = z.infer<typeof CallRecording>
