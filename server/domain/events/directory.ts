import type { ServiceRef, UserRef } from '#contracts/events/facts.ts'

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
}
