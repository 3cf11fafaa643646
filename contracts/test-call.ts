import { z } from 'zod'

const line = z
  .string()
  .regex(/^[^\p{Cc},"\\<>]{0,80}$/u, 'must be a line of at most 80 without , " \\ < >')

/** A real call on the demo PBX, placed by its own phones and carrier; see `demo-world.ts` for how those behave. */
export const TestCall = z
  .strictObject({
    from: z
      .string()
      .regex(
        /^(\+?[0-9]{6,20}|20[1-4])$/,
        'must be a phone number, or an extension from 201 to 204',
      )
      .meta({
        description:
          'A number: a call from outside. An extension: a call by that user. The last digit of a number tells how phones behave: 5 answers and hangs up after 3 s, 6 Alice does not answer, 7 busy, 8 nobody answers, 9 declined, else answered.',
      }),
    from_name: line.optional().meta({ description: 'The name that the phone shows.' }),
    to: z
      .string()
      .regex(/^[0-9*#+]{1,24}$/, 'must be 1 to 24 of 0-9 * # +')
      .meta({ description: 'What is dialled: 1007, 600, **201 …' }),
    keys: z
      .string()
      .regex(/^[0-9*#]{0,20}$/, 'must be up to 20 of 0-9 * #')
      .optional()
      .meta({ description: 'Keys to press 1.5 seconds after the answer.' }),
    talk_seconds: z
      .int()
      .min(1)
      .max(600)
      .optional()
      .meta({ description: 'How long the caller stays after the answer; default 3.', unit: 's' }),
    patience_seconds: z
      .int()
      .min(1)
      .max(600)
      .optional()
      .meta({ description: 'When the caller gives up unanswered; default 60.', unit: 's' }),
    lead_id: line.optional().meta({ description: 'Passed through to the events.' }),
  })
  .meta({ id: 'TestCall' })
export type TestCall = z.infer<typeof TestCall>
