import { setTimeout as pause } from 'node:timers/promises'
import type { Cast } from '#test/asterisk/people.ts'
import { registerPhone, type Sipp, startCaller, startPhone } from '#test/support/sipp.ts'

/** Where the PBX is and where it expects phones and carrier; all on 127.0.0.1, SIP over UDP. */
export interface PbxPorts {
  readonly sip: number
  /** Where it sends calls to outside. */
  readonly carrier: number
  /** Where calls from the carrier come from; a cast needs as many as it has such callers. */
  readonly carrierCalls: readonly number[]
  readonly phones: { readonly [user in 201 | 202 | 203 | 204]: number }
  readonly registeringSecret: string
}

/** Calls that are being played. Disposing breaks them off. */
export interface Playing extends AsyncDisposable {
  /** Rejects, with sipp's trace, when the SIP side went otherwise than the steps say. */
  readonly finished: Promise<void>
}

/**
 * Places the calls and waits until all of them are over. Throws as `Playing.finished` rejects. What the PBX wrote or
 * Offhook sent is for the caller to judge.
 */
export async function play(cast: Cast, ports: PbxPorts): Promise<void> {
  await using playing = startPlaying(cast, ports)
  await playing.finished
}

/** As `play`, for a test that does something to the world meanwhile. */
export function startPlaying(cast: Cast, ports: PbxPorts): Playing {
  const running = new AsyncDisposableStack()
  const finished = playAll(cast, ports, running)
  // Who breaks off without waiting must not get an unhandled rejection.
  finished.catch(() => {})
  return {
    finished,
    async [Symbol.asyncDispose]() {
      await running.disposeAsync()
      await finished.catch(() => {})
    },
  }
}

async function playAll(cast: Cast, ports: PbxPorts, running: AsyncDisposableStack): Promise<void> {
  for (const extension of cast.registers ?? []) {
    const user = { extension, secret: ports.registeringSecret }
    await registerPhone(ports.sip, user, ports.phones[extension])
  }
  const phones: Sipp[] = []
  for (const [who, { steps, calls = 1 }] of Object.entries(cast.phones ?? {})) {
    const port = who === 'carrier' ? ports.carrier : ports.phones[who as '201']
    phones.push(await keep(running, await startPhone(ports.sip, steps, { port, calls })))
  }
  const freeCarrierPorts = [...ports.carrierCalls]
  // All of them are waited for, also when one has failed: a caller that starts later must not outlive this function.
  const callers = await Promise.allSettled(
    cast.callers.map(async ({ line, afterMs = 0, steps, calls = 1, perSecond = 1, ...setup }) => {
      const port = line === 'carrier' ? freeCarrierPorts.shift() : undefined
      await pause(afterMs)
      const options = { calls, rate: perSecond, ...(port !== undefined && { port }) }
      const caller = await startCaller({ pbxPort: ports.sip, ...setup }, steps, options)
      await (await keep(running, caller)).finished
    }),
  )
  for (const caller of callers) if (caller.status === 'rejected') throw caller.reason
  await Promise.all(phones.map((phone) => phone.finished))
}

async function keep(running: AsyncDisposableStack, sipp: Sipp): Promise<Sipp> {
  if (!running.disposed) return running.use(sipp)
  await sipp[Symbol.asyncDispose]()
  throw new Error('The calls were broken off.')
}
