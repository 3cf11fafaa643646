/** What the link to the PBX tells: gaps, restarts, and channels that are gone without a word. */
import { openChannels } from '#server/domain/calls/fold.ts'
import { describeLinkDown, describeLinkUp } from '#server/domain/events/describe.ts'
import type { PbxLink } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'
import {
  type Capture,
  commit,
  type LinkNews,
  noteAlive,
  readAll,
} from '#server/pipeline/capture-batch.ts'

/** A channel this young may not have come into the PBX's list yet. */
const youngMs = 5_000
/** AMI tells its uptime in whole seconds: the start is known to be up to this much earlier. */
const uptimeStepMs = 1_000

/** Of a link that comes and goes while nothing can be committed; some hours' worth of them. */
const mostNews = 200

/**
 * Where there is no more room, an up with the down after it is left out, and never the first, which may be being handled:
 * two gaps are told as one, which is longer than they were and hides nothing.
 */
export function addNews(all: LinkNews[], news: LinkNews): void {
  if (all.length > 1 && all.at(-1)?.kind === news.kind) return
  all.push(news)
  if (all.length <= mostNews) return
  const up = all.findIndex(({ kind }, i) => i > 0 && kind === 'up')
  all.splice(up, 2)
}

/** Follows the link; what it says is handled by the loop, in order with the rows. */
export async function followLink(
  capture: Capture,
  ring: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { link, now } = capture.deps
  if (link === null) return
  const add = (news: LinkNews) => {
    addNews(capture.news, news)
    ring()
  }
  const on = {
    up: ({ bootedAt }: { readonly bootedAt: number | null }) => {
      add({ kind: 'up', at: now(), bootedAt })
    },
    down: (reason: string) => {
      add({ kind: 'down', at: now(), reason })
    },
    activity: ring,
  }
  await link.run(on, signal)
}

export async function handleNews(capture: Capture): Promise<void> {
  for (;;) {
    const [news] = capture.news
    if (news === undefined) return
    if (news.kind === 'down') await linkDown(capture, news)
    else await linkUp(capture, news)
    capture.news.shift()
  }
}

async function linkDown(
  capture: Capture,
  news: Extract<LinkNews, { kind: 'down' }>,
): Promise<void> {
  const { cursor, deps } = capture
  if (cursor.link !== null && !cursor.link.up) return
  deps.log.warn({ reason: news.reason }, 'link: down')
  await commit(capture, {
    events: [describeLinkDown(deps.directory(), news)],
    cursor: { ...cursor, link: { up: false, since: news.at, aliveAt: deps.now() } },
  })
  // What our own absence left on disk was read before this news was handled: it belongs to the gap.
  if (news.at >= capture.liveSince) capture.sinceGap = 0
}

async function linkUp(capture: Capture, news: Extract<LinkNews, { kind: 'up' }>): Promise<void> {
  const { deps } = capture
  if (capture.cursor.link?.up) return
  await buryDead(capture, news.bootedAt)
  const downSince = capture.cursor.link?.since ?? null
  deps.log.info({ events_of_the_gap: capture.sinceGap }, 'link: up')
  const told = { at: news.at, downSince, backfilledEvents: capture.sinceGap }
  await commit(capture, {
    events: [describeLinkUp(deps.directory(), told)],
    cursor: { ...capture.cursor, link: { up: true, since: news.at, aliveAt: deps.now() } },
  })
  capture.sinceGap = 0
}

/** Closes the calls of a PBX process that is no more: their channels began before it and it does not list them. */
async function buryDead(capture: Capture, bootedAt: number | null): Promise<void> {
  if (bootedAt === null || capture.deps.link === null) return
  const open = openChannels(capture.calls)
  if (open.length === 0) return
  const listed = await listChannels(capture, capture.deps.link)
  if (listed === null) return
  await readAll(capture)
  const dead = unlisted(capture, listed, bootedAt + uptimeStepMs)
  if (dead.length > 0) await lose(capture, dead)
}

/** Channels that neither the record nor the PBX knows to live, twice in a row, are gone: Asterisk loses some. */
export async function reconcile(capture: Capture): Promise<void> {
  const { link, now, record, onDisk } = capture.deps
  await noteAlive(capture)
  await onDisk()
  await record.tidy(capture.cursor.record, now())
  if (link === null || !capture.cursor.link?.up) return
  if (openChannels(capture.calls).length === 0) {
    capture.suspects = new Set()
    return
  }
  const listedAt = now()
  const listed = await listChannels(capture, link)
  if (listed === null) return
  await readAll(capture)
  const missing = unlisted(capture, listed, listedAt - youngMs)
  const dead = missing.filter((id) => capture.suspects.has(id))
  capture.suspects = new Set(missing)
  if (dead.length > 0) await lose(capture, dead)
}

/**
 * Null: the PBX cannot be asked. It is again at its next "up", and by the next comparison; a link that is cut at this
 * moment, or whose account may not list channels, must hold up neither the reading nor the news behind it.
 */
async function listChannels(capture: Capture, link: PbxLink): Promise<ReadonlySet<string> | null> {
  try {
    return await link.listChannels()
  } catch (error) {
    if (!(error instanceof PbxError)) throw error
    if (error.code === 'cannot_be_asked') return null
    capture.deps.log.warn({ err: error }, 'link: the open channels cannot be listed')
    return null
  }
}

async function lose(capture: Capture, uniqueIds: readonly string[]): Promise<void> {
  const { deps } = capture
  deps.log.warn({ channels: uniqueIds }, 'calls: channels are gone without an end, closing')
  await commit(capture, {
    rows: [{ kind: 'channels_gone', at: deps.now(), uniqueIds }],
    late: true,
  })
}

/** Open channels that began before the given time and are not in the PBX's list. */
function unlisted(capture: Capture, listed: ReadonlySet<string>, before: number): string[] {
  const legs = [...capture.calls.calls.values()].flatMap((call) => call.legs)
  return legs
    .filter((leg) => leg.endedAt === null && leg.startedAt < before && !listed.has(leg.id))
    .map((leg) => leg.id)
}
