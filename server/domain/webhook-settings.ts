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

/** `wrong`: settings that are none, of which nothing is said. Throws InconsistentSettingsError. */
export function checkConsistency(
  settings: ConsistentSettings,
  wrong: ReadonlySet<string> = new Set(),
): void {
  const found = inconsistencies(settings, wrong)
  if (found.length > 0) throw new InconsistentSettingsError(found)
}

/** A webhook's settings with a change; whether they go together is another question. */
export function settingsAfter<S extends ConsistentSettings>(settings: S, change: WebhookChange): S {
  // What is there but undefined is not given.
  const given = Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined),
  ) as Partial<S>
  const after = { ...settings, ...given }
  return { ...after, scope: change.scope ?? scopeAfter(settings.scope, after.service_uuid) }
}

/** What the PBX document says of a Webhook object, and so nobody else. */
const ofDocument = [
  ...(['name', 'url', 'scope', 'service_uuid', 'triggers'] as const),
  ...(['method', 'format', 'path_arguments'] as const),
  ...(['authentication', 'headers', 'payload', 'connector'] as const),
]

/** Throws InconsistentSettingsError where a change of a Webhook object changes what its PBX document says. */
export function checkObjectChange(scope: WebhookScope, change: WebhookChange): void {
  if (scope !== 'call_flow') return
  const found = ofDocument
    .filter((name) => change[name] !== undefined)
    .map((name) => ({ path: [name], message: 'is set in the PBX document, by its component' }))
  if (found.length > 0) throw new InconsistentSettingsError(found)
}

/** Without a word about it, a webhook of the account becomes one of a service by naming it, and the other way round. */
function scopeAfter(scope: WebhookScope, serviceUuid: string | null): WebhookScope {
  if (scope === 'global' || scope === 'call_flow') return scope
  return serviceUuid === null ? 'account' : 'service'
}
