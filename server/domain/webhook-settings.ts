import {
  type ConsistentSettings,
  type Inconsistency,
  inconsistencies,
  type WebhookScope,
} from '#contracts/webhook/consistency.ts'
import type { WebhookChange } from '#contracts/webhook/webhook.ts'

/** A change that leaves a webhook with settings that do not go together. */
export class InconsistentSettingsError extends Error {
  readonly found: readonly Inconsistency[]

  constructor(found: readonly Inconsistency[]) {
    super(found.map(({ path, message }) => `${path.join('.')} ${message}`).join('; '))
    this.name = 'InconsistentSettingsError'
    this.found = found
  }
}

/** Throws InconsistentSettingsError. */
export function checkConsistency(settings: ConsistentSettings): void {
  const found = inconsistencies(settings)
  if (found.length > 0) throw new InconsistentSettingsError(found)
}

/** A webhook's settings with a change; whether they go together is another question. */
export function settingsAfter<S extends ConsistentSettings>(settings: S, change: WebhookChange): S {
  // What is there but undefined is not given.
  const given = Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined),
  ) as Partial<S>
  const after = { ...settings, ...given }
  return { ...after, scope: scopeAfter(settings.scope, after.service_uuid) }
}

/** A webhook of the account becomes one of a service by naming it, and the other way round. */
function scopeAfter(scope: WebhookScope, serviceUuid: string | null): WebhookScope {
  if (scope === 'global' || scope === 'call_flow') return scope
  return serviceUuid === null ? 'account' : 'service'
}
