import { eventsOfCall } from '#bench/event-source.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { signatureHeaders } from '#server/domain/sign.ts'

/** All webhooks of the benches sign with it. */
export const benchSecret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`

export interface SignedRequest {
  /** Names and values in turn, as undici takes them with the least work. */
  readonly headers: readonly string[]
  readonly body: string
}

/** The requests that the engine would send for the events of one call, rendered and signed once. */
export function signedRequests(): readonly SignedRequest[] {
  const owner = {
    account: { id: 'acc_01KANHARB0URDENTA1', name: 'Harbour Dental' },
    serviceUuid: '3e0f1d52-6a55-4b1c-9d6e-0f1a7c2b9e10',
  }
  const plain = prepareRequests('http://127.0.0.1/ok', plainRequest, 'bench')
  return eventsOfCall(owner).map((event) => {
    const { headers, body } = plain.render(nativeBody(event))
    const signature = signatureHeaders({ id: event.id, at: Date.now(), body }, [benchSecret])
    return { headers: Object.entries({ ...headers, ...signature }).flat(), body }
  })
}
