/** What a schema of one object cannot see: whether the objects of a PBX document fit together. */
import { fieldPath } from '#contracts/field-path.ts'
import type { Destination, PbxDocument, PbxOutboundRoute } from '#contracts/pbx.ts'

export interface ReferenceIssue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Everything that does not fit, with the path of the field that should be changed. */
export function checkReferences(document: PbxDocument): ReferenceIssue[] {
  return [
    ...duplicates(document),
    ...users(document),
    ...trunks(document),
    ...members(document),
    ...unknownDestinations(document),
    ...unknownForwards(document),
    ...circles(document),
  ]
}

type Path = readonly (string | number)[]

interface Named {
  readonly value: string | null
  readonly path: Path
}

/** A destination of the document, and whether a call gets there without anybody's choice. */
interface Step {
  readonly path: Path
  readonly destination: Destination
  /** The object that leads there, as `kind name`; null: a number or an extension, where calls begin. */
  readonly from: string | null
}

function* repeated(what: string, entries: readonly Named[]): Generator<ReferenceIssue> {
  const first = new Map<string, Path>()
  for (const { value, path } of entries) {
    if (value === null) continue
    const taken = first.get(value)
    if (taken) yield { path, message: `${what} ${value} is taken by ${fieldPath(taken)}` }
    else first.set(value, path)
  }
}

const named = <T>(list: readonly T[], collection: string, field: keyof T & string): Named[] =>
  list.map((entry, i) => ({
    value: entry[field] as string | null,
    path: [collection, i, field],
  }))

function* duplicates(d: PbxDocument): Generator<ReferenceIssue> {
  yield* repeated('the extension', [
    ...named(d.users, 'users', 'extension_number'),
    ...named(d.queues, 'queues', 'extension'),
    ...named(d.ring_groups, 'ring_groups', 'extension'),
    ...named(d.virtual_extensions, 'virtual_extensions', 'extension'),
  ])
  yield* repeated('the user', named(d.users, 'users', 'uuid'))
  yield* repeated('the number', [
    ...d.numbers.flatMap((n, i): Named[] => [
      { value: n.did.replace(/^\+/, ''), path: ['numbers', i, 'did'] },
      // The same number twice in one entry is no clash.
      ...(n.number !== null && n.number.slice(1) !== n.did.replace(/^\+/, '')
        ? [{ value: n.number.slice(1), path: ['numbers', i, 'number'] }]
        : []),
    ]),
  ])
  yield* repeated('the trunk', named(d.trunks, 'trunks', 'name'))
  yield* repeated('the prefix', named(d.outbound_routes, 'outbound_routes', 'prefix'))
  // Names without regard to case: they become names of files and contexts.
  for (const collection of ['ivrs', 'queues', 'ring_groups', 'components'] as const) {
    const names = d[collection].map((o, i) => ({
      value: o.name.toLowerCase(),
      path: [collection, i, 'name'],
    }))
    yield* repeated('the name', names)
  }
  yield* repeated(
    'the feature code',
    Object.entries(d.feature_codes).map(([key, value]) => ({
      value,
      path: ['feature_codes', key],
    })),
  )
}

function* users(d: PbxDocument): Generator<ReferenceIssue> {
  for (const [i, user] of d.users.entries()) {
    if (user.secret === null && user.contact === null) {
      const message = 'a phone that registers needs a secret'
      yield { path: ['users', i, 'secret'], message }
    }
    if (user.has_voicemail && user.voicemail_pin === null) {
      yield { path: ['users', i, 'voicemail_pin'], message: 'a mailbox needs a PIN' }
    }
  }
}

function* trunks(d: PbxDocument): Generator<ReferenceIssue> {
  for (const [i, trunk] of d.trunks.entries()) {
    if ((trunk.username === null) !== (trunk.secret === null)) {
      yield { path: ['trunks', i, 'secret'], message: 'user name and secret go together' }
    }
    if (trunk.registers && trunk.username === null) {
      const message = 'a trunk that registers needs a user name and a secret'
      yield { path: ['trunks', i, 'registers'], message }
    }
  }
  const known = new Set(d.trunks.map((t) => t.name))
  for (const [i, route] of d.outbound_routes.entries()) {
    if (known.has(route.trunk)) continue
    const message = `there is no trunk ${route.trunk}`
    yield { path: ['outbound_routes', i, 'trunk'], message }
  }
}

function* members(d: PbxDocument): Generator<ReferenceIssue> {
  const known = new Set(d.users.map((u) => u.extension_number))
  for (const collection of ['queues', 'ring_groups'] as const) {
    for (const [i, object] of d[collection].entries()) {
      const paths = object.members.map((m, j) => ({
        value: m,
        path: [collection, i, 'members', j],
      }))
      yield* repeated('the member', paths)
      for (const { value, path } of paths) {
        if (!known.has(value)) yield { path, message: `there is no user ${value}` }
      }
    }
  }
}

/** Every destination in the document. */
function* steps(d: PbxDocument): Generator<Step> {
  for (const [i, n] of d.numbers.entries()) {
    yield { path: ['numbers', i, 'destination'], destination: n.destination, from: null }
  }
  for (const [i, v] of d.virtual_extensions.entries()) {
    yield { path: ['virtual_extensions', i, 'destination'], destination: v.destination, from: null }
  }
  for (const [i, ivr] of d.ivrs.entries()) {
    const from = `ivr ${ivr.name}`
    for (const [keys, destination] of Object.entries(ivr.options)) {
      yield { path: ['ivrs', i, 'options', keys], destination, from: null }
    }
    yield { path: ['ivrs', i, 'on_timeout'], destination: ivr.on_timeout, from }
    yield { path: ['ivrs', i, 'on_invalid'], destination: ivr.on_invalid, from }
  }
  for (const [i, q] of d.queues.entries()) {
    yield { path: ['queues', i, 'fallback'], destination: q.fallback, from: `queue ${q.name}` }
  }
  for (const [i, g] of d.ring_groups.entries()) {
    const from = `ring_group ${g.name}`
    yield { path: ['ring_groups', i, 'fallback'], destination: g.fallback, from }
  }
  for (const [i, c] of d.components.entries()) {
    yield { path: ['components', i, 'next'], destination: c.next, from: `component ${c.name}` }
  }
}

/** `kind name` of the object that a destination is; null for the ends of the line. */
function target(destination: Destination): string | null {
  switch (destination.type) {
    case 'user':
      return `user ${destination.extension_number}`
    case 'ivr':
    case 'queue':
    case 'ring_group':
    case 'component':
      return `${destination.type} ${destination.name}`
    case 'voicemail':
    case 'external':
    case 'hangup':
      return null
  }
}

function* unknownDestinations(d: PbxDocument): Generator<ReferenceIssue> {
  const known = new Set([
    ...d.users.map((u) => `user ${u.extension_number}`),
    ...d.ivrs.map((o) => `ivr ${o.name}`),
    ...d.queues.map((o) => `queue ${o.name}`),
    ...d.ring_groups.map((o) => `ring_group ${o.name}`),
    ...d.components.map((o) => `component ${o.name}`),
  ])
  const mailboxes = new Set(d.users.filter((u) => u.has_voicemail).map((u) => u.extension_number))
  for (const { path, destination } of steps(d)) {
    const to = target(destination)
    if (to !== null && !known.has(to)) {
      yield { path, message: `there is no ${to.replace('_', ' ')}` }
    }
    if (destination.type === 'voicemail' && !mailboxes.has(destination.extension_number)) {
      yield { path, message: `there is no mailbox ${destination.extension_number}` }
    }
    if (destination.type === 'external' && !outboundRouteFor(d, destination.number)) {
      yield { path, message: `no outbound route takes ${destination.number}` }
    }
  }
}

function* unknownForwards(d: PbxDocument): Generator<ReferenceIssue> {
  const extensions = extensionTargets(d)
  for (const [i, { forward_to: to }] of d.users.entries()) {
    if (to === null || extensions.has(to) || outboundRouteFor(d, to)) continue
    const message = `there is no extension ${to}, and no outbound route takes it`
    yield { path: ['users', i, 'forward_to'], message }
  }
}

/** The route by which a number goes out: that of the longest prefix. Numbers of one digit more are no numbers. */
export function outboundRouteFor(
  d: Pick<PbxDocument, 'outbound_routes'>,
  number: string,
): PbxOutboundRoute | undefined {
  return d.outbound_routes
    .filter(({ prefix }) => number.startsWith(prefix) && number.length >= prefix.length + 2)
    .sort((a, b) => b.prefix.length - a.prefix.length)[0]
}

/**
 * A circle of fallbacks would let an unanswered call run round for ever, thousands of rows of the record per
 * second when no phone is there. A circle that a caller walks by choosing IVR options is a menu, and allowed.
 */
function* circles(d: PbxDocument): Generator<ReferenceIssue> {
  const next = new Map<string, { to: string; path: Path }[]>()
  const lead = (from: string, to: string | null, path: Path) => {
    if (to !== null) next.set(from, [...(next.get(from) ?? []), { to, path }])
  }
  for (const { from, destination, path } of steps(d)) {
    if (from !== null) lead(from, target(destination), path)
  }
  const extensions = extensionTargets(d)
  for (const [i, user] of d.users.entries()) {
    const to = user.forward_to === null ? null : (extensions.get(user.forward_to) ?? null)
    lead(`user ${user.extension_number}`, to, ['users', i, 'forward_to'])
  }
  const done = new Set<string>()
  for (const start of next.keys()) {
    const path = circleFrom(start, next, done)
    if (path) yield { path, message: 'leads back to where the call comes from' }
  }
}

function extensionTargets(d: PbxDocument): Map<string, string | null> {
  return new Map([
    ...d.users.map((u) => [u.extension_number, `user ${u.extension_number}`] as const),
    ...d.queues.map((q) => [q.extension ?? '', `queue ${q.name}`] as const),
    ...d.ring_groups.map((g) => [g.extension ?? '', `ring_group ${g.name}`] as const),
    ...d.virtual_extensions.map((v) => [v.extension, target(v.destination)] as const),
  ])
}

/** Depth first without recursion; the path of the step that closes a circle, or undefined. */
function circleFrom(
  start: string,
  next: ReadonlyMap<string, readonly { readonly to: string; readonly path: Path }[]>,
  done: Set<string>,
): Path | undefined {
  const onTheWay: { object: string; taken: number }[] = [{ object: start, taken: 0 }]
  while (onTheWay.length > 0) {
    const here = onTheWay.at(-1)
    if (!here) return undefined
    const step = next.get(here.object)?.[here.taken]
    here.taken += 1
    if (!step || done.has(here.object)) {
      done.add(here.object)
      onTheWay.pop()
    } else if (onTheWay.some((o) => o.object === step.to)) {
      for (const { object } of onTheWay) done.add(object) // one circle, one complaint
      return step.path
    } else {
      onTheWay.push({ object: step.to, taken: 0 })
    }
  }
  return undefined
}
