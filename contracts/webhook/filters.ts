/** Which events of its triggers fire a webhook: all filters must let one through, of a list one value is enough. */
import { z } from 'zod'
import { CallStatus, Direction } from '#contracts/events/facts.ts'

const mostValues = 1_000

const listOf = <T extends z.ZodType<string>>(value: T, description: string) =>
  z
    .array(value)
    .max(mostValues)
    .overwrite((list) => [...new Set(list)])
    .default([])
    .meta({ description })

const name = z.string().trim().min(1).max(100)
const dialled = z
  .string()
  .trim()
  .max(60)
  .refine((text) => /\d/.test(text), 'must be a phone number: there is no digit in it')

export const Filters = z
  .strictObject({
    call_types: listOf(Direction, 'call.direction: inbound, outbound, internal.'),
    users: listOf(z.uuid(), 'UUID of the user of the event.'),
    extensions: listOf(
      name,
      'Extension of the user of the event. Where it has none: of the user who calls, of the one that was dialled in an internal call, or of one whose phone rang.',
    ),
    numbers: listOf(
      dialled,
      'Number of either end of the call: in E.164, or as it is dialled in the country of the service.',
    ),
    queues: listOf(name, 'Name of the queue that the call is or was in.'),
    ring_groups: listOf(name, 'Name of the ring group that the call is or was in.'),
    ivrs: listOf(name, 'Name of the IVR that the call is or was in.'),
    ivr_options: listOf(name, 'The option that the caller chose at the IVR.'),
    statuses: listOf(CallStatus, 'call.status: how the call ended.'),
    min_duration: z.int().min(0).max(86_400).default(0).meta({
      description:
        'Least seconds of the call, in user.inbound.completed and user.outbound.completed of that user’s part.',
      unit: 's',
    }),
  })
  .meta({
    id: 'Filters',
    description:
      'Combined with and, the values of a list with or; an empty list, and 0, lets all through. What events of a type never have stops none of them; what they can have, and this one has not, does.',
  })
export type Filters = z.infer<typeof Filters>
export type FilterName = keyof Filters

export const noFilters: Filters = Filters.parse({})
