/**
 * The heart of the telephony part: `(open calls, rows) → (open calls, facts)`.
 *
 * Rows come in the order of the file, which is nearly that of time (the times of neighbours differ by some ms now and
 * then), so nothing here depends on exact order. Channels are known by unique id and never change theirs; linked ids
 * do (pick-up, attended transfer), so they only group: a row that shows a channel of one call under the linked id of
 * another joins the two. A call is over when all its channels are gone.
 */
import { endpointOf, isCarrier, isLocal } from '#server/domain/calls/channel-name.ts'
import {
  addCall,
  addLeg,
  beginDraft,
  type Draft,
  type FoldOptions,
  touch,
} from '#server/domain/calls/draft.ts'
import type { Fact } from '#server/domain/calls/facts.ts'
import {
  answerLeg,
  endLeg,
  enterBridge,
  leaveBridge,
  offerLeg,
  refuseBySendingOn,
} from '#server/domain/calls/legs.ts'
import { applyMark, receiveInbound } from '#server/domain/calls/marks.ts'
import { foldQueueLog, forgetOldQueueLog } from '#server/domain/calls/queue-log.ts'
import { closeCall } from '#server/domain/calls/record.ts'
import type { CelRow, ChannelsGoneRow, PbxRow } from '#server/domain/calls/rows.ts'
import {
  callerLeg,
  findLeg,
  type Leg,
  newCall,
  newLeg,
  type OpenCall,
  type OpenCalls,
  openVisit,
  seenUser,
} from '#server/domain/calls/state.ts'
import {
  joinCalls,
  pickUp,
  transferAttended,
  transferBlind,
} from '#server/domain/calls/transfers.ts'
import { enterVisit, leaveVisit } from '#server/domain/calls/visits.ts'

export interface Folded {
  readonly state: OpenCalls
  readonly facts: readonly Fact[]
  /** Ids of open calls that changed: what is stored anew. */
  readonly changed: readonly string[]
  /** Ids of calls that are over or were joined into another: what is forgotten. */
  readonly closed: readonly string[]
}

/** Folds a batch. The given state is not changed; any cut into batches gives the same facts. */
export function foldRows(
  state: OpenCalls,
  rows: Iterable<PbxRow>,
  options: FoldOptions = { trunks: null },
): Folded {
  const draft = beginDraft(state, options)
  for (const row of rows) {
    if (row.kind === 'cel') foldCel(draft, row)
    else if (row.kind === 'queue_log') foldQueueLog(draft, row)
    else if (row.kind === 'channels_gone') loseChannels(draft, row)
    else boot(draft, row.at)
  }
  return {
    state: { calls: draft.calls, queueLog: draft.queueLog, bootAt: draft.bootAt },
    facts: draft.facts,
    changed: [...draft.touched].filter((id) => draft.calls.has(id)),
    closed: [...draft.closed],
  }
}

function foldCel(draft: Draft, row: CelRow): void {
  // queue_log is read before the CEL rows of the same moment, so a start of the PBX may be known too early.
  if (draft.bootAt !== null && row.at > draft.bootAt) boot(draft, draft.bootAt)
  if (row.type === 'CHAN_START') startChannel(draft, row)
  else foldChannelRow(draft, row)
}

function foldChannelRow(draft: Draft, row: CelRow): void {
  const callId = draft.byChannel.get(row.uniqueId)
  if (callId === undefined) return // began before we read, or its call is over
  let call = touch(draft, callId)
  const linked = draft.byLinkedId.get(row.linkedId)
  if (linked !== undefined && linked !== call.id) call = joinCalls(draft, call.id, linked)
  const leg = findLeg(call, row.uniqueId)
  if (leg === undefined) return
  call.lastAt = Math.max(call.lastAt, row.at)
  if (!beginningMarks.has(row.mark)) settle(draft, call, leg, row)
  if (row.type === 'USER_DEFINED') applyMark(draft, call, leg, row)
  if (Object.hasOwn(celHandlers, row.type)) celHandlers[row.type]?.(draft, call, leg, row)
}

/** Marks that say, or precede the one that says, what kind of call begins. */
const beginningMarks: ReadonlySet<string> = new Set(['PBX_INBOUND', 'PBX_USERCALL', 'PBX_LEAD'])

type CelHandler = (draft: Draft, call: OpenCall, leg: Leg, row: CelRow) => void

const celHandlers: Readonly<Record<string, CelHandler>> = {
  ANSWER: (draft, call, leg, row) => {
    answerLeg(draft, call, leg, row.at)
  },
  APP_START: startApplication,
  APP_END: (_draft, call, leg, row) => {
    if (row.app === 'Queue' && openVisit(call, 'queue')?.legId === leg.id) {
      leaveVisit(call, 'queue', null, row.at)
    }
  },
  BRIDGE_ENTER: enterBridge,
  BRIDGE_EXIT: (_draft, _call, leg) => {
    leaveBridge(leg)
  },
  PICKUP: pickUp,
  BLINDTRANSFER: transferBlind,
  ATTENDEDTRANSFER: transferAttended,
  FORWARD: (_draft, call, _leg, row) => {
    if (typeof row.extra.forward === 'string') call.divertedTo ??= row.extra.forward
    call.forwarding = true
  },
  HANGUP: hangUp,
  CHAN_END: hangUp,
}

function startChannel(draft: Draft, row: CelRow): void {
  if (draft.byChannel.has(row.uniqueId)) return
  const callId = draft.byLinkedId.get(row.linkedId)
  if (callId === undefined) startCall(draft, row)
  else startLeg(draft, touch(draft, callId), row)
}

function startCall(draft: Draft, row: CelRow): void {
  const first = legOf(draft, row, 'caller')
  // Only a linked id of its own begins a call; another is a leg of a call whose beginning was not read.
  const call = newCall(first, row.linkedId, row.uniqueId === row.linkedId ? 'undecided' : 'silent')
  const raw = row.callerNumber === '' ? null : row.callerNumber
  call.source = {
    raw,
    name: row.callerName === '' ? null : row.callerName,
    anonymous: raw === null || /^(anonymous|restricted|unknown|unavailable)$/i.test(raw),
    user: first.user,
  }
  if (first.kind === 'external' && !call.source.anonymous) first.number = raw
  call.destinationRaw = row.extension === 's' || row.extension === '' ? null : row.extension
  addCall(draft, call)
}

function startLeg(draft: Draft, call: OpenCall, row: CelRow): void {
  settle(draft, call, callerLeg(call), row)
  const leg = legOf(draft, row, 'target')
  const queue = openVisit(call, 'queue')
  if (!call.marked && queue !== undefined) leg.queue = queue.name
  call.lastAt = Math.max(call.lastAt, row.at)
  addLeg(draft, call, leg)
  if (!call.marked) offerLeg(draft, call, leg, row.at)
}

function legOf(draft: Draft, row: CelRow, role: Leg['role']): Leg {
  const endpoint = endpointOf(row.channel)
  const kind = isLocal(row.channel)
    ? 'local'
    : isCarrier(endpoint, row.context, draft.options.trunks)
      ? 'external'
      : 'user'
  return newLeg({
    id: row.uniqueId,
    channel: row.channel,
    endpoint,
    startedAt: row.at,
    kind,
    role,
    user: kind === 'user' ? { extension: endpoint, name: row.callerName || null } : null,
  })
}

/**
 * What a row without its own mark shows: a carrier's call without PBX_INBOUND is inbound all the same (one row later,
 * so that the mark may say it better), and a leg that nobody announced has been offered.
 */
function settle(draft: Draft, call: OpenCall, leg: Leg, row: CelRow): void {
  if (call.kind === 'undecided' && callerLeg(call).kind === 'external') {
    receiveInbound(draft, call, call.startedAt)
  }
  if (row.type !== 'USER_DEFINED') offerLeg(draft, call, leg, row.at)
}

function startApplication(_draft: Draft, call: OpenCall, leg: Leg, row: CelRow): void {
  const app = row.app.toLowerCase()
  if (app === 'dial') {
    call.dialString = row.appData
    noteDialledUser(call, row.appData)
  } else if (app === 'queue') {
    enterVisit(call, 'queue', row.appData.split(',')[0] ?? '', leg.id, row.at)
  } else if (app === 'voicemail') {
    call.voicemailReached = true
    call.reached = 'voicemail'
    call.reachedUser = seenUser(call, mailboxOf(row.appData))
  }
}

/** A phone that is not registered gets no channel: only the Dial() itself shows that the call came to its user. */
function noteDialledUser(call: OpenCall, appData: string): void {
  const extension = /^PJSIP\/([^&@/,]+)(,|$)/.exec(appData)?.[1]
  if (extension === undefined || openVisit(call, 'ring_group') !== undefined) return
  call.reached = 'user'
  call.reachedUser = seenUser(call, extension)
}

/** `201@default,su` → `201`. */
function mailboxOf(appData: string): string {
  return /^[^@,&]*/.exec(appData)?.[0] ?? ''
}

function hangUp(draft: Draft, call: OpenCall, leg: Leg, row: CelRow): void {
  if (leg.endedAt !== null) return
  const { hangupcause, hangupsource } = row.extra
  if (typeof hangupcause === 'number') {
    leg.hangup = {
      cause: hangupcause,
      source: typeof hangupsource === 'string' ? hangupsource : '',
    }
  }
  if (call.forwarding && leg.role !== 'caller' && leg.kind !== 'local') {
    call.forwarding = false
    refuseBySendingOn(leg)
  }
  if (leg === callerLeg(call) && call.kind === 'undecided') call.kind = 'silent'
  endLeg(draft, call, leg, row.at)
  closeIfOver(draft, call)
}

function closeIfOver(draft: Draft, call: OpenCall): void {
  if (call.legs.every((leg) => leg.endedAt !== null)) closeCall(draft, call)
}

/** Channels that are gone without a row ended when they were last known to live. */
function loseChannels(draft: Draft, row: ChannelsGoneRow): void {
  for (const id of row.uniqueIds) {
    const callId = draft.byChannel.get(id)
    if (callId === undefined) continue
    const call = touch(draft, callId)
    const leg = findLeg(call, id)
    if (leg === undefined || leg.endedAt !== null) continue
    call.incomplete = true
    endLeg(draft, call, leg, call.lastAt)
    closeIfOver(draft, call)
  }
}

function boot(draft: Draft, at: number): void {
  draft.bootAt = null
  for (const call of [...draft.calls.values()]) {
    const gone = call.legs.filter((leg) => leg.endedAt === null && leg.startedAt < at)
    if (gone.length === 0) continue
    loseChannels(draft, { kind: 'channels_gone', at, uniqueIds: gone.map((leg) => leg.id) })
  }
  forgetOldQueueLog(draft, at)
}

/** Unique ids of the channels that are open, for the reconciler and for the end of a finished file. */
export function openChannels(state: OpenCalls): string[] {
  return [...state.calls.values()].flatMap((call) =>
    call.legs.filter((leg) => leg.endedAt === null).map((leg) => leg.id),
  )
}
