import { setTimeout as pause } from 'node:timers/promises'
import type { Scenario } from '#test/asterisk/scenarios.ts'
import { registerPhone, type Sipp, startCaller, startPhone } from '#test/support/sipp.ts'

/** Where the PBX is and where it expects phones and carrier; all on 127.0.0.1, SIP over UDP. */
export interface PbxPorts {
  readonly sip: number
  /** Where it sends calls to outside. */
  readonly carrier: number
  /** Where calls from the carrier come from; a scenario uses as many as it has such callers. */
  readonly carrierCalls: readonly number[]
  readonly phones: { readonly [user in 201 | 202 | 203 | 204]: number }
  readonly registeringSecret: string
}

/**
 * Places the calls of a scenario and waits until all of them are over. Throws, with sipp's trace, when the SIP side
 * went otherwise than the steps say. What the PBX wrote or Offhook sent is for the caller to judge.
 */
export async function play(scenario: Scenario, ports: PbxPorts): Promise<void> {
  await using running = new AsyncDisposableStack()
  for (const extension of scenario.registers ?? []) {
    const user = { extension, secret: ports.registeringSecret }
    await registerPhone(ports.sip, user, ports.phones[extension])
  }
  const phones: Sipp[] = []
  for (const [who, { steps, calls = 1 }] of Object.entries(scenario.phones ?? {})) {
    const port = who === 'carrier' ? ports.carrier : ports.phones[who as '201']
    phones.push(running.use(await startPhone(ports.sip, steps, { port, calls })))
  }
  const freeCarrierPorts = [...ports.carrierCalls]
  // All of them are waited for, also when one has failed: a caller that starts later must not outlive this function.
  const callers = await Promise.allSettled(
    scenario.callers.map(async ({ line, afterMs = 0, steps, ...setup }) => {
      const port = line === 'carrier' ? freeCarrierPorts.shift() : undefined
      await pause(afterMs)
      const options = port === undefined ? {} : { port }
      const caller = await startCaller({ pbxPort: ports.sip, ...setup }, steps, options)
      await running.use(caller).finished
    }),
  )
  for (const caller of callers) if (caller.status === 'rejected') throw caller.reason
  await Promise.all(phones.map((phone) => phone.finished))
}
