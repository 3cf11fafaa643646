import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import { eventSamples } from '#contracts/events/samples.ts'

const samples = eventTypes.map((type) => eventSamples[type])

/** Paths of all values, as `listEventFields` writes them; nothing is said of what is below a null or an open record. */
function pathsOf(value: unknown, path: string, open: ReadonlySet<string>): string[] {
  if (value === null || open.has(path)) return [path]
  if (Array.isArray(value)) {
    const inside = value.filter((element) => typeof element === 'object')
    return inside.length === 0
      ? [path]
      : inside.flatMap((element) => pathsOf(element, `${path}[]`, open))
  }
  if (typeof value !== 'object') return [path]
  return Object.entries(value).flatMap(([key, inner]) =>
    pathsOf(inner, path === '' ? key : `${path}.${key}`, open),
  )
}

/** Those that stand at the path; below a null that stands for a whole object, that null. */
function valuesAt(value: unknown, steps: readonly string[]): unknown[] {
  const [step, ...rest] = steps
  if (step === undefined || value === null) return [value]
  const inside = (value as Record<string, unknown>)[step.replace('[]', '')]
  const each = step.endsWith('[]') ? (inside as unknown[]) : [inside]
  return each.flatMap((one) => valuesAt(one, rest))
}

/** `told` where a text may be it. */
function typeOf(value: unknown, told: string): string {
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  if (typeof value !== 'string') return typeof value
  if (told === 'time') return Number.isNaN(Date.parse(value)) ? 'no time' : 'time'
  return told === 'choice' ? 'choice' : 'text'
}

const secondsBetween = (from: string, to: string) =>
  Math.round((Date.parse(to) - Date.parse(from)) / 1000)

describe('samples of the catalogue', () => {
  it.each(eventTypes)('%s has a sample that its schema leaves unchanged', (type) => {
    const sample = eventSamples[type]
    expect(sample.type).toBe(type)
    // Strict at the top; below it the comparison shows what parsing would drop.
    expect(z.strictObject(eventCatalogue[type].schema.shape).parse(sample)).toEqual(sample)
  })

  it('knows no type that the catalogue does not have', () => {
    expect(Object.keys(eventSamples)).toEqual(eventTypes)
  })

  it('gives every event its own id', () => {
    expect(new Set(samples.map((sample) => sample.id)).size).toBe(samples.length)
  })

  it('numbers the events of a call in the order in which they happened', () => {
    const calls = Map.groupBy(
      samples.filter((sample) => 'call' in sample),
      (sample) => sample.call.uuid,
    )
    expect(calls.size).toBe(5)
    for (const events of calls.values()) {
      const bySequence = events.toSorted((a, b) => a.sequence - b.sequence)
      const times = bySequence.map((event) => event.occurred_at)
      expect(times).toEqual(times.toSorted())
      expect(new Set(bySequence.map((event) => event.sequence)).size).toBe(events.length)
    }
  })

  it('has durations that agree with the times beside them', () => {
    const records = samples.flatMap((sample) =>
      'call' in sample && 'status' in sample.call ? [sample.call] : [],
    )
    expect(records.length).toBe(4)
    for (const record of records) {
      const end = record.ended_at ?? ''
      expect(record.duration).toBe(secondsBetween(record.started_at, end))
      expect(record.bill_duration).toBe(
        record.answered_at === null ? 0 : secondsBetween(record.answered_at, end),
      )
    }
    const parts = [
      ...eventSamples['call.ended'].legs,
      eventSamples['user.inbound.completed'].part,
      eventSamples['user.outbound.completed'].part,
    ]
    for (const part of parts) {
      expect(part.duration).toBe(secondsBetween(part.started_at, part.ended_at))
      expect(part.talk_duration).toBe(
        part.answered_at === null ? 0 : secondsBetween(part.answered_at, part.ended_at),
      )
    }
  })

  it('has a talk in each summary that agrees with the times beside it', () => {
    const { queue, occurred_at: annaEnd } = eventSamples['queue.call.summary']
    const { part } = eventSamples['user.inbound.completed']
    expect([queue.answered_at, queue.talk_duration]).toEqual([part.answered_at, part.talk_duration])
    expect(part.ended_at < annaEnd).toBe(true)
    const { ring_group: group, occurred_at: end } = eventSamples['ring_group.call.summary']
    expect(group.talk_duration).toBe(secondsBetween(group.answered_at ?? '', end))
  })

  it('tells of each user that rang in a leg of the ended call', () => {
    const legs = eventSamples['call.ended'].legs.map((leg) => leg.extension_number)
    for (const tried of eventSamples['queue.call.summary'].queue.agents_tried) {
      expect(legs).toContain(tried.extension_number)
    }
  })
})

describe('fields of the catalogue', () => {
  const fields = listEventFields()
  const open = new Set(fields.filter((field) => field.type === 'object').map((field) => field.path))

  it('have a label and a description each', () => {
    const nameless = fields.filter(
      (field) => field.label === field.path || field.label === '' || field.description === '',
    )
    expect(nameless.map((field) => field.path)).toEqual([])
  })

  it('say the unit of every duration', () => {
    const durations = fields.filter((field) => field.path.endsWith('duration'))
    expect(durations.length).toBeGreaterThan(10)
    expect(durations.filter((field) => field.unit !== 's')).toEqual([])
  })

  it('are told apart by their labels and aliases', () => {
    const chosen = fields.filter(({ path }) => !path.includes('[]'))
    const names = chosen.flatMap(({ label, aliases }) => [label, ...aliases])
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    expect(names.filter((name) => name.startsWith('null'))).toEqual([])
    const byPath = new Map(chosen.map(({ path, label }) => [path, label]))
    expect(byPath.get('user.name')).toBe('Name')
    expect(byPath.get('queue.answered_by.name')).toBe('Queue answered by: Name')
  })

  it.each(eventTypes)('are in the sample of %s of the type that is told', (type) => {
    for (const { path, type: told, nullable } of listEventFields([type])) {
      for (const value of valuesAt(eventSamples[type], path.split('.'))) {
        if (value === null) expect(nullable, path).toBe(true)
        else expect(told, path).toBe(typeOf(value, told))
      }
    }
  })

  it('of several types are nullable where one of them has null', () => {
    const field = (types: EventType[], path: string) =>
      listEventFields(types).find((one) => one.path === path)
    const sequence = { type: 'integer', description: expect.stringContaining('Position') }
    expect(field(['call.ended'], 'sequence')).toMatchObject({ ...sequence, nullable: false })
    expect(field(['user.created'], 'sequence')).toMatchObject({ type: 'null', nullable: true })
    const both: EventType[] = ['user.created', 'call.ended']
    expect(field(both, 'sequence')).toMatchObject({ ...sequence, nullable: true })
    expect(field(['user.created'], 'user.name')?.nullable).toBe(true)
    expect(field(['user.created'], 'user.extension_number')?.nullable).toBe(false)
    expect(field(both, 'user.extension_number')?.nullable).toBe(true)
  })

  it.each(eventTypes)('cover every path of the sample of %s', (type) => {
    const offered = fields.filter((field) => field.triggers.includes(type))
    for (const path of pathsOf(eventSamples[type], '', open)) {
      // A null may stand for a whole object: then the catalogue lists the fields below it.
      const listed = offered.some(
        (field) => field.path === path || field.path.startsWith(`${path}.`),
      )
      expect(listed, path).toBe(true)
    }
  })
})
