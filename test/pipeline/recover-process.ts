/** Recovers until it is killed, and writes a dot after each step: `node recover-process.ts <database url> <webhook>`. */
import { takeSteps } from '#server/pipeline/take-steps.ts'
import { openStore } from '#server/store/open-store.ts'
import { recoverStep } from '#server/store/resend.ts'

const [, , url = '', webhookId = ''] = process.argv
const store = await openStore({ url })
const ever = { since: 0, until: Number.MAX_SAFE_INTEGER }
await takeSteps(
  async (walk, limit) => recoverStep(store, webhookId, ever, walk, limit, Date.now()),
  { startedAt: Date.now(), after: 0 },
  {
    forMs: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    onStep: () => void process.stdout.write('.'),
  },
)
// Nobody kills it that late, or the test would have nothing to show.
await new Promise(() => setInterval(() => undefined, 60_000))
