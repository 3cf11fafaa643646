/** What holds for the whole account. */
import { Account, AccountChange } from '#contracts/account.ts'
import { route } from '#contracts/route.ts'

export const accountRoutes = {
  getAccount: route({
    method: 'GET',
    path: '/api/v1/account',
    tag: 'Account',
    summary: 'Read your account and its defaults for webhooks.',
    answer: Account,
    versionOf: Account,
  }),

  changeAccount: route({
    method: 'PATCH',
    path: '/api/v1/account',
    tag: 'Account',
    summary:
      'Change the defaults of your account; they count for the next request of each webhook.',
    body: AccountChange,
    answer: Account,
    versionOf: Account,
    problems: ['precondition_failed'],
  }),
} as const
