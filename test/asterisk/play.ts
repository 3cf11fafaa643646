import { setTimeout as pause } from 'node:timers/promises'
import type { Scenario, ScenarioPhone } from '#test/asterisk/scenarios.ts'
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
  const phones = await Promise.all(
    Object.entries(scenario.phones ?? {}).map(async ([who, phone]) => {
      const port = who === 'carrier' ? ports.carrier : ports.phones[who as '201']
      const sipp = await startPhone(ports.sip, phone.steps, { port, calls: phone.calls ?? 1 })
      return { phone, sipp: running.use(sipp) }
    }),
  )
  const freeCarrierPorts = [...ports.carrierCalls]
  await Promise.all(
    scenario.callers.map(async (caller) => {
      const port = caller.line === 'carrier' ? freeCarrierPorts.shift() : undefined
      await pause(caller.afterMs ?? 0)
      const sipp = running.use(
        await startCaller(
          { pbxPort: ports.sip, ...caller },
          caller.steps,
          port === undefined ? {} : { port },
        ),
      )
      await sipp.finished
    }),
  )
  await Promise.all(phones.map(finishedUnlessLoose))
}

async function finishedUnlessLoose({ phone, sipp }: { phone: ScenarioPhone; sipp: Sipp }) {
  if (phone.loose !== true) await sipp.finished
}
