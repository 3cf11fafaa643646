import { z } from 'zod'

/** What people search lists by, beside the fields that each list has. */

/** One status, or a hundred of them: `503`, `5xx`. */
export const StatusFilter = z
  .string()
  .regex(/^[1-5](\d\d|xx)$/, 'must be a status such as 503, or a class such as 5xx')
  .meta({ description: 'A status such as 503, or a class such as 5xx.' })

/** A phone number as people write it. */
export const NumberFilter = z
  .string()
  .trim()
  .max(64)
  .regex(/\d/, 'must be a phone number or an extension')
  .meta({
    description:
      'Events of calls from or to this number: a phone number in any way of writing, national ones as in the countries of your services, or an extension.',
  })

/** The statuses that the text of a `StatusFilter` stands for. */
export function statusRange(text: string): { readonly from: number; readonly to: number } {
  return { from: Number(text.replace('xx', '00')), to: Number(text.replace('xx', '99')) }
}
