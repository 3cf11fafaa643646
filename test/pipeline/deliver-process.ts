/**
 * A process that delivers until it is killed: `node deliver-process.ts <database url>`. It begins when something comes on
 * its standard input, so that its program can be loaded before.
 */
import { once } from 'node:events'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { openStore } from '#server/store/open-store.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'

await once(process.stdin, 'data')
const store = await openStore({ url: process.argv[2] ?? '' })
const say = (facts: object, message: string) => console.error(message, facts)
await runDeliver(
  {
    store,
    sender: createSender({ policy: loopbackPolicy }),
    templates,
    version: 'test',
    maxInFlight: 64,
    disableAfterMs: null,
    stopMs: 1_000,
    log: { info: say, warn: say, error: say },
    now: Date.now,
  },
  new AbortController().signal,
)
