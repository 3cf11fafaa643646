import { createHash } from 'node:crypto'
import { type AmiFields, type AmiFrame, amiField } from '#server/pbx/asterisk/ami-codec.ts'
import { type AmiSession, openAmiSession } from '#server/pbx/asterisk/ami-session.ts'
import type { LinkDownReason } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/**
 * A lasting link to the manager interface of one Asterisk.
 *
 *   connecting ── logged in, fully booted ──> up ── closed, no answer ──> down
 *       ^                                                                  │
 *       └───────── after a pause that doubles, with jitter ────────────────┘
 *
 * Asterisk keeps nothing for a client that is away, and cuts a slow one off in the middle of a frame without a word.
 * So every end of a connection is a gap: `onDown` says that events may be missing from now, `onUp` that they flow
 * again. Whoever needs what happened in between reads the PBX's files. Nothing is queued here for a link that is
 * down: an action then fails at once.
 */
export interface AmiClientOptions {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly secret: string
  /** Called for each event, in order; must return at once. */
  readonly onEvent: (event: AmiFrame) => void
  /** `bootedAt`: epoch ms of the PBX's start, ±1 s; null where the account may not ask. */
  readonly onUp: (link: { readonly bootedAt: number | null }) => void
  /** Once per gap, also for the one before the first connection. */
  readonly onDown: (reason: LinkDownReason) => void
  /** Ends the client cleanly. */
  readonly signal: AbortSignal
  /** As in AmiSessionOptions. */
  readonly refuses?: (address: string) => boolean
  readonly pingIntervalMs?: number
  readonly actionTimeoutMs?: number
  readonly firstPauseMs?: number
  readonly longestPauseMs?: number
}

export interface AmiClient {
  isUp(): boolean
  /**
   * Sends one action and gives its response. Throws PbxError: `not_connected`, `no_answer` (in time), `refused`
   * (with Asterisk's words), `busy` (too many under way), `protocol` (a value that is not one line).
   */
  action(name: string, fields?: AmiFields): Promise<AmiFrame>
  /** Sends an action that answers with a list, and gives the list. Throws as `action` does. */
  list(name: string, fields?: AmiFields): Promise<readonly AmiFrame[]>
  /** Settles when the signal has ended the client and its socket is closed. */
  readonly closed: Promise<void>
}

/** Starts connecting at once and never gives up until the signal ends it. */
export function startAmiClient(options: AmiClientOptions): AmiClient {
  let session: AmiSession | null = null
  const up = (): AmiSession => {
    if (session) return session
    throw new PbxError('not_connected', 'The PBX is not connected.')
  }
  const keep = keepConnected(options, (now) => {
    session = now
  })
  return {
    isUp: () => session !== null,
    action: async (name, fields) => up().action(name, fields),
    list: async (name, fields) => up().list(name, fields),
    closed: keep,
  }
}

async function keepConnected(
  options: AmiClientOptions,
  setSession: (session: AmiSession | null) => void,
): Promise<void> {
  const { signal } = options
  const first = options.firstPauseMs ?? 200
  const longest = options.longestPauseMs ?? 15_000
  let told = false // the gap that we are in
  let failures = 0
  while (!signal.aborted) {
    const reason = await connection(options, (session, bootedAt) => {
      failures = 0
      told = false
      setSession(session)
      options.onUp({ bootedAt })
    })
    setSession(null)
    if (signal.aborted) return
    if (!told) options.onDown(reason)
    told = true
    // Jitter over the upper half: many clients of a restarted PBX must not come back in step.
    const pause = Math.min(longest, first * 2 ** Math.min(failures, 16))
    failures += 1
    await sleep(pause / 2 + Math.random() * (pause / 2), signal)
  }
}

/** One connection from connect to its end; gives the reason of the end. */
async function connection(
  options: AmiClientOptions,
  onUp: (session: AmiSession, bootedAt: number | null) => void,
): Promise<LinkDownReason> {
  let toldBoot: (uptimeSeconds: number) => void = () => {}
  const boot = new Promise<number>((resolve) => {
    toldBoot = resolve
  })
  const session = openAmiSession({
    ...options,
    onEvent: (event) => {
      if (amiField(event, 'Event') === 'FullyBooted') toldBoot(Number(amiField(event, 'Uptime')))
      options.onEvent(event)
    },
  })
  // An end without a reason of its own belongs to whatever step was under way.
  const steps = logIn(session, options)
    .then(async () => onUp(session, await bootTime(session, boot)))
    .catch((error: unknown) => {
      const refused = error instanceof PbxError && error.code === 'refused'
      session.end(refused ? 'login refused' : 'no answer')
    })
  const reason = await session.ended
  await steps
  return reason
}

async function logIn(session: AmiSession, options: AmiClientOptions): Promise<void> {
  const challenge = await session.action('Challenge', { AuthType: 'MD5' })
  const key = createHash('md5')
    .update(amiField(challenge, 'Challenge') + options.secret)
    .digest('hex')
  await session.action('Login', {
    AuthType: 'MD5',
    Username: options.username,
    Key: key,
  })
}

/**
 * Asterisk says FullyBooted after each login, with its uptime, once it is booted: at once, or in a moment. An
 * account without the right `system` never hears it; it may be allowed to ask for the status instead.
 */
async function bootTime(session: AmiSession, boot: Promise<number>): Promise<number | null> {
  const grace = new AbortController()
  const lost = session.ended.then(() => {
    throw new PbxError('not_connected', 'The connection to the PBX was lost.')
  })
  const heard = await Promise.race([boot, lost, sleep(3000, grace.signal)]).finally(() =>
    grace.abort(),
  )
  if (typeof heard === 'number' && Number.isFinite(heard)) return Date.now() - heard * 1000
  const status = await session.action('CoreStatus').catch((error: unknown) => {
    if (error instanceof PbxError && error.code === 'refused') return null
    throw error
  })
  if (status === null) return null
  // Local time of the PBX without a zone: right where it shares our clock, and it is the last resort.
  const at = Date.parse(
    `${amiField(status, 'CoreStartupDate')}T${amiField(status, 'CoreStartupTime')}`,
  )
  return Number.isNaN(at) ? null : at
}

/** Resolves after `ms`, or when the signal aborts. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
