/** Pick-up, blind and attended transfer, and calls that turn out to be one. */
import { endpointOf } from '#server/domain/calls/channel-name.ts'
import { type Draft, indexCall, removeCall, tell, touch } from '#server/domain/calls/draft.ts'
import { answerLeg } from '#server/domain/calls/legs.ts'
import type { CelRow } from '#server/domain/calls/rows.ts'
import { callerLeg, findLeg, type Leg, type OpenCall } from '#server/domain/calls/state.ts'

/**
 * `PICKUP` stands on the phone that rang and names the channel that took the call. The picker's own call (`**201`)
 * becomes part of this one; from here on its channel is the leg that answered.
 */
export function pickUp(draft: Draft, call: OpenCall, ringing: Leg, row: CelRow): OpenCall {
  const pickerId = row.extra.pickup_channel_uniqueid
  ringing.outcome = 'answered_elsewhere'
  if (typeof pickerId !== 'string') return call
  const whole = joinCallOf(draft, call, pickerId)
  const picker = findLeg(whole, pickerId)
  if (picker === undefined) return whole
  picker.role = 'target'
  picker.via = 'pickup'
  picker.offered = true
  picker.user ??= { extension: endpointOf(picker.channel), name: null }
  picker.queue = ringing.queue
  picker.ringGroup = ringing.ringGroup
  answerLeg(draft, whole, picker, row.at)
  return whole
}

export function transferBlind(draft: Draft, call: OpenCall, by: Leg, row: CelRow): void {
  by.transferred = true
  const to = row.extra.extension
  tell(
    draft,
    call,
    'call.transferred',
    row.at,
    { user: by.user },
    { kind: 'blind', to: typeof to === 'string' ? to : null, mergedCallId: null },
  )
}

/**
 * `ATTENDEDTRANSFER` stands on the transferrer's channel. By feature code the consultation ran inside this call; by
 * SIP REFER it was a call of its own (`channel2`), which is joined here.
 */
export function transferAttended(draft: Draft, call: OpenCall, by: Leg, row: CelRow): OpenCall {
  const secondId = text(row, 'channel2_uniqueid')
  const targetId = text(row, 'transfer_target_channel_uniqueid')
  let whole = call
  for (const id of [secondId, targetId]) {
    if (id !== null) whole = joinCallOf(draft, whole, id)
  }
  const transferrer = findLeg(whole, by.id) ?? by
  transferrer.transferred = true
  const second = secondId === null ? undefined : findLeg(whole, secondId)
  if (second !== undefined) second.transferred = true
  // Of the calls joined so far, the consultation: a call may be transferred more than once.
  const involved = [by.id, secondId, targetId, text(row, 'transferee_channel_uniqueid')]
  const joined = whole.merged.findLast((id) => involved.includes(id)) ?? null
  tell(
    draft,
    whole,
    'call.transferred',
    row.at,
    { user: transferrer.user },
    {
      kind: 'attended',
      to: attendedTarget(whole, transferrer, row, targetId),
      mergedCallId: joined,
    },
  )
  whole.consulting = null
  return whole
}

function attendedTarget(
  call: OpenCall,
  by: Leg,
  row: CelRow,
  targetId: string | null,
): string | null {
  // By feature code both channels are the transferrer's one channel, and a mark told whom it consulted.
  if (call.consulting !== null && text(row, 'channel2_uniqueid') === by.id) return call.consulting
  const target =
    (targetId !== null ? findLeg(call, targetId) : undefined) ??
    consultedLeg(call, by, text(row, 'bridge2_id')) ??
    consultedLeg(call, by, text(row, 'bridge1_id'))
  if (target === undefined) return null
  if (target.kind === 'local') return /^Local\/([^@]+)@/.exec(target.channel)?.[1] ?? null
  return target.user?.extension ?? target.number
}

/** Who was in that bridge with the transferrer, other than the call's own caller. */
function consultedLeg(call: OpenCall, by: Leg, bridge: string | null): Leg | undefined {
  if (bridge === null) return undefined
  return call.legs.find(
    (leg) =>
      leg.id !== callerLeg(call).id &&
      leg.id !== by.id &&
      !leg.transferred &&
      (leg.bridge === bridge || leg.lastBridge === bridge),
  )
}

function text(row: CelRow, key: string): string | null {
  const value = row.extra[key]
  return typeof value === 'string' && value !== '' && value !== 'N/A' ? value : null
}

function joinCallOf(draft: Draft, call: OpenCall, channelId: string): OpenCall {
  const otherId = draft.byChannel.get(channelId)
  return otherId === undefined || otherId === call.id ? call : joinCalls(draft, call.id, otherId)
}

/** Two calls are one: the one with an outside party goes on, else the older. Returns the one that goes on. */
export function joinCalls(draft: Draft, oneId: string, otherId: string): OpenCall {
  const one = touch(draft, oneId)
  const other = touch(draft, otherId)
  const [stays, goes] = outranks(one, other) ? [one, other] : [other, one]
  removeCall(draft, goes)
  stays.legs.push(...goes.legs)
  stays.linkedIds.push(...goes.linkedIds)
  stays.visits.push(...goes.visits)
  stays.recordings.push(...goes.recordings)
  stays.recorded ??= goes.recorded
  stays.merged.push(...goes.merged, ...(goes.sequence > 0 ? [goes.id] : []))
  stays.lastAt = Math.max(stays.lastAt, goes.lastAt)
  stays.bridged ||= goes.bridged && goes.kind !== 'silent'
  stays.talker ||= goes.talker && goes.kind !== 'silent'
  indexCall(draft, stays)
  return stays
}

function outranks(one: OpenCall, other: OpenCall): boolean {
  const rank = { silent: 0, undecided: 1, internal: 2, outbound: 3, inbound: 3 }
  const difference = rank[one.kind] - rank[other.kind]
  return difference !== 0 ? difference > 0 : one.startedAt <= other.startedAt
}
