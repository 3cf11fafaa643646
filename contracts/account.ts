import { z } from 'zod'
import { HangupCauses } from '#contracts/webhook/hangup-causes.ts'

const settings = {
  hangup_causes: HangupCauses.meta({
    description: 'For all webhooks of the account; those of a webhook go before.',
  }),
}

export const Account = z
  .object({ id: z.string(), name: z.string(), ...settings })
  .meta({ id: 'Account' })
export type Account = z.infer<typeof Account>

export const AccountChange = z.strictObject(settings).partial().meta({ id: 'AccountChange' })
export type AccountChange = z.infer<typeof AccountChange>
