import { api } from '#contracts/api.ts'
import type { RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve, serveChange } from '#server/http/serve.ts'
import { changeAccountSettings, getAccountSettings } from '#server/store/account-settings.ts'

export function serveAccount(serving: Serving, { store }: RouteDeps): void {
  serve(serving, api.getAccount, async ({ caller }) => getAccountSettings(store.read, caller.id))
  serveChange(serving, api.changeAccount, async ({ caller, body }, unchanged) =>
    changeAccountSettings(store, caller.id, body, unchanged),
  )
}
