import { z } from 'zod'

function knownZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** A zone of the IANA database; UTC unless given. */
export const TimeZone = z
  .string()
  .max(100)
  .refine(knownZone, 'must be a time zone such as UTC or Australia/Sydney')
  .default('UTC')
