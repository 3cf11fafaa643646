import type { Event } from '#contracts/events/catalogue.ts'

/** The keys that every event has, then the context of a call: a person finds them where the documentation has them. */
const leading = [
  'id',
  'type',
  'occurred_at',
  'sequence',
  'backfilled',
  'account',
  'service',
  'call',
  'user',
  'queue',
  'ring_group',
  'ivr',
]

/** The event as JSON text, as it is stored and sent. The same event gives the same bytes. */
export function nativeBody(event: Event): string {
  const parts = event as unknown as Readonly<Record<string, unknown>>
  const others = Object.keys(parts)
    .filter((key) => !leading.includes(key))
    .sort()
  const ordered: Record<string, unknown> = {}
  for (const key of [...leading, ...others]) {
    if (key in parts) ordered[key] = parts[key]
  }
  return JSON.stringify(ordered)
}
