/**
 * The guard: whether a connection may be made, asked in three places that each close a gap of the others.
 *
 *   URL ── host is an address ────────────────┐
 *    │                                        v
 *    └─ host is a name ── resolved once ──> all addresses allowed? ── connect to these only ──> peer allowed? ── TLS, request
 *
 * One forbidden address among several refuses the name: to use the rest would let a name server choose the moment.
 * The connection is made to the addresses that were looked at; nothing resolves the name a second time, so a name that
 * answers differently now (DNS rebinding) changes nothing. The look at the peer is for what nobody thought of.
 */
import { type AddressPolicy, whyForbidden } from '#server/domain/address-policy.ts'
import { whyBarredPort } from '#server/domain/receiver-target.ts'
import { ConnectFailure } from '#server/outbound/failure.ts'

export interface Guard {
  /** Throws `address_forbidden` unless requests may go to every one of the addresses that `host` leads to. */
  readonly check: (host: string, port: number, addresses: readonly string[]) => Promise<void>
}

/** An address and port that are allowed for a while beside the policy: see `app.ts`. */
export type AlsoAllowed = (address: string, port: number) => Promise<boolean>

export function createGuard(policy: AddressPolicy, alsoAllowed: AlsoAllowed): Guard {
  return {
    async check(host, port, addresses) {
      const barred = whyBarredPort(port)
      if (barred !== null) throw new ConnectFailure('address_forbidden', barred)
      for (const address of addresses) {
        const why = whyForbidden(address, policy)
        if (why === null || (await alsoAllowed(address, port))) continue
        const subject = host === address ? address : `${host} leads to ${address}, which`
        throw new ConnectFailure('address_forbidden', `${subject} ${why}.`)
      }
    },
  }
}
