import { DateTime } from 'luxon'
import type { MappedPayload } from '#contracts/webhook/payload.ts'

/** A time of an event, ISO 8601 in UTC, as the payload wants it; what is no time stays as it is. */
export function formattedTime(
  iso: string,
  { time_format: format, time_zone: zone }: Pick<MappedPayload, 'time_format' | 'time_zone'>,
): string | number {
  if (format === 'iso8601' && zone === 'UTC') return iso
  const time = DateTime.fromISO(iso, { zone })
  if (!time.isValid) return iso
  switch (format) {
    case 'iso8601':
      return time.toISO()
    case 'unix':
      return Math.floor(time.toMillis() / 1000)
    case 'unix_ms':
      return time.toMillis()
    default:
      // The same text whatever the language of the machine.
      return time.setLocale('en').toFormat(format)
  }
}
