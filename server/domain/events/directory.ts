import type { ServiceRef, UserRef } from '#contracts/events/facts.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import { toE164 } from '#server/domain/events/phone-number.ts'

/** Where a PBX keeps the two is not the same folder. */
export type AudioKind = 'recording' | 'voicemail'

/** What Offhook knows of a PBX beyond its records: whose it is, and how its users and numbers are called. */
export interface Directory {
  readonly account: { readonly id: string; readonly name: string }
  readonly service: ServiceRef
  /** ISO 3166 code by which national numbers become E.164; null: only international ones do. */
  readonly country: string | null
  /** By extension number. */
  readonly users: ReadonlyMap<string, UserRef>
  /** By number as the PBX has it (DID). */
  readonly numbers: ReadonlyMap<
    string,
    { readonly e164: string | null; readonly label: string | null }
  >
  /**
   * Where anybody hears the audio that an event tells of; null: nobody could. `at`: when it happened, epoch ms. Pure.
   */
  readonly audioLink: (kind: AudioKind, eventId: string, at: number) => string | null
}

/** The directory of a service; without a PBX document (an attached PBX) names come from the PBX's own records. */
export function directoryOf(
  account: Directory['account'],
  service: ServiceRef & { readonly country: string | null },
  document: PbxDocument | null,
  audioLink: Directory['audioLink'] = () => null,
): Directory {
  const { country, uuid, name, friendly_name, type } = service
  return {
    account,
    service: { uuid, name, friendly_name, type },
    country,
    audioLink,
    users: new Map(document?.users.map((user) => [user.extension_number, userRef(user)])),
    numbers: new Map(
      document?.numbers.map(({ did, number, label }) => [
        did,
        { e164: number ?? toE164(did, country), label },
      ]),
    ),
  }
}

export function userRef(user: PbxDocument['users'][number]): UserRef {
  return {
    uuid: user.uuid,
    extension_number: user.extension_number,
    name: user.name,
    outbound_phone_number: user.outbound_phone_number,
    has_voicemail: user.has_voicemail,
    enabled_calls: user.enabled_calls,
  }
}
