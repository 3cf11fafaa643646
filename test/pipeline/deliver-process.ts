/** A process that delivers until it is killed: `node deliver-process.ts <database url>`. */
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { openStore } from '#server/store/open-store.ts'
import { loopbackPolicy } from '#test/support/sending.ts'

const store = await openStore({ url: process.argv[2] ?? '' })
const say = (facts: object, message: string) => console.error(message, facts)
await runDeliver(
  {
    store,
    sender: createSender({ policy: loopbackPolicy }),
    version: 'test',
    maxInFlight: 64,
    disableAfterMs: null,
    stopMs: 1_000,
    log: { info: say, warn: say, error: say },
    now: Date.now,
  },
  new AbortController().signal,
)
