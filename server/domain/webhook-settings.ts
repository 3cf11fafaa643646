import {
  type ConsistentSettings,
  type Inconsistency,
  inconsistencies,
} from '#contracts/webhook/consistency.ts'

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
