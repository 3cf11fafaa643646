/** Own names for why a call ended. */
import { z } from 'zod'

const ownName = z.string().trim().min(1).max(100).optional()

export const HangupCauses = z
  .strictObject({
    Answered: ownName,
    Busy: ownName,
    Canceled: ownName,
    Failed: ownName,
    'No Answer': ownName,
  })
  .meta({
    id: 'HangupCauses',
    description:
      'What call.hangup.cause is called instead; a cause that is not there keeps its name.',
  })
export type HangupCauses = z.infer<typeof HangupCauses>
