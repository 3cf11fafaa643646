/** The audio that an event told of, as the API sends it: from the event to an open file. */
import type { NoAudio, OpenAudio, WantedAudio } from '#server/pbx/audio.ts'
import type { PbxProducts } from '#server/pbx/products.ts'
import type { AudioEvent } from '#server/store/recordings.ts'
import { getService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

/** An open file, for whoever gets it to close. */
export type CallAudio = OpenAudio
export type NoCallAudio = NoAudio
export type OpenCallAudio = (event: AudioEvent) => Promise<CallAudio | NoCallAudio>

export function callAudio(store: Store, products: Pick<PbxProducts, 'openAudio'>): OpenCallAudio {
  return async (event) => {
    const service = await getService(store, event.account.id, event.service.uuid)
    // What its PBX kept has gone with it.
    if (service === null) return 'gone'
    return await products.openAudio(service.uuid, service.connection, wantedBy(event))
  }
}

function wantedBy(event: AudioEvent): WantedAudio {
  if (event.type === 'voicemail.left') {
    const { mailbox, file, duration, recorded_at } = event.voicemail
    const leftAt = Date.parse(recorded_at)
    return { kind: 'voicemail', mailbox, file, duration, leftAt, caller: event.call.source.raw }
  }
  const { file, recorded_at } = event.recording
  return { kind: 'recording', file, startedAt: Date.parse(recorded_at) }
}
