/**
 * Filters that let no event of a type through, though its schema has the field: what events of calls never have, or not
 * yet. By what the fold tells (`calls/`), and only what holds for every dialplan: where no mark says that a user dialled,
 * the queue is entered before `call.internal.placed`. The recorded calls hold it against what happened.
 */
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Direction } from '#contracts/events/facts.ts'
import type { FilterName, Filters } from '#contracts/webhook/filters.ts'

/** Why none passes, and which trigger has what was asked for; null: some can pass. */
export function whyInVain(type: EventType, name: FilterName, filters: Filters): string | null {
  if (name === 'call_types') return wrongDirection(type, filters.call_types)
  if (name === 'statuses') return onlyAnswered(type, filters.statuses)
  return neverHad[type]?.[name] ?? null
}

const ringing = 'user.inbound.ringing is of the user whose phone rings'
const ofNoUser = `the call has just arrived and is of no user yet; ${ringing}`
const inMenu = `a caller in an IVR is with no user; ${ringing}`
const chosen = 'the caller has chosen nothing yet; ivr.option_selected has the choice'

const neverHad: { readonly [T in EventType]?: { readonly [F in FilterName]?: string } } = {
  'call.inbound.received': {
    users: ofNoUser,
    // Nor is it of anybody by `extensionsOf`: the caller is outside, and no phone has rung.
    extensions: ofNoUser,
    queues:
      'the call has just arrived and is in no queue yet; queue.call.summary is of calls that were in one, user.inbound.ringing of those that it gives to a user',
    ring_groups:
      'the call has just arrived and is in no ring group yet; ring_group.call.summary is of calls that were in one, user.inbound.ringing of those that ring at a member',
    ivrs: 'the call has just arrived and is in no IVR yet; ivr.received is of calls that enter one',
    ivr_options: chosen,
  },
  // Those of internal calls have the caller's extension all the same, by `extensionsOf`.
  'ivr.received': { users: inMenu, ivr_options: chosen },
  'ivr.option_selected': { users: inMenu },
  'queue.call.summary': {
    ring_groups: 'it is of the stay in a queue; ring_group.call.summary is of that in a ring group',
  },
  'ring_group.call.summary': {
    queues: 'it is of the stay in a ring group; queue.call.summary is of that in a queue',
  },
}

function onlyAnswered(type: EventType, statuses: Filters['statuses']): string | null {
  if (type !== 'call.missed' || statuses.some((status) => status !== 'answered')) return null
  return 'nobody answered a missed call; call.ended is of calls that were answered too'
}

type ByDirection = Readonly<Record<Direction, EventType>>

const placed: ByDirection = {
  inbound: 'call.inbound.received',
  outbound: 'call.outbound.placed',
  internal: 'call.internal.placed',
}
const answered: ByDirection = {
  inbound: 'call.inbound.answered',
  outbound: 'call.outbound.answered',
  internal: 'call.internal.answered',
}
const recorded: ByDirection = {
  inbound: 'recording.inbound.completed',
  outbound: 'recording.outbound.completed',
  internal: 'recording.outbound.completed',
}

/**
 * Which trigger tells it of calls of each direction. `user.outbound.completed` is of inbound ones too: a call that asked
 * before a transfer has become part of the one that was transferred.
 */
const byDirection: { readonly [T in EventType]?: ByDirection } = {
  'call.inbound.received': placed,
  'call.outbound.placed': placed,
  'call.internal.placed': placed,
  'call.inbound.answered': answered,
  'call.outbound.answered': answered,
  'call.internal.answered': answered,
  'call.missed': { inbound: 'call.missed', outbound: 'call.ended', internal: 'call.ended' },
  'user.outbound.placed': {
    inbound: 'user.inbound.ringing',
    outbound: 'user.outbound.placed',
    internal: 'user.outbound.placed',
  },
  'user.outbound.answered': {
    inbound: 'user.inbound.answered',
    outbound: 'user.outbound.answered',
    internal: 'user.outbound.answered',
  },
  'recording.inbound.completed': recorded,
  'recording.outbound.completed': recorded,
}

function wrongDirection(type: EventType, wanted: Filters['call_types']): string | null {
  const triggers = byDirection[type]
  if (triggers === undefined || wanted.some((one) => triggers[one] === type)) return null
  const own = (['inbound', 'outbound', 'internal'] as const).filter((one) => triggers[one] === type)
  const others = Map.groupBy(wanted, (one) => triggers[one])
  const said = [...others].map(([other, ofThese]) => `${other} is of ${ofThese.join(' and ')} ones`)
  return `it is of ${own.join(' and ')} calls only; ${said.join(', ')}`
}
