/** The settings of a form, right or wrong: what a preview makes of them. */
import type { FieldError } from '#contracts/problem.ts'
import { type Webhook, WebhookChange, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { restoreRequestSecrets } from '#server/domain/hidden-secrets.ts'
import {
  checkConsistency,
  checkObjectChange,
  settingsAfter,
} from '#server/domain/webhook-settings.ts'
import { asProblem } from '#server/http/problem-error.ts'
import { parsed } from '#server/http/serve.ts'

/** As far as the preview needs them, whole and parsed. */
export type PreviewedSettings = Pick<
  Webhook,
  | 'url'
  | 'service_uuid'
  | 'scope'
  | 'component'
  | 'triggers'
  | 'filters'
  | 'count_pickups'
  | 'method'
  | 'format'
  | 'path_arguments'
  | 'authentication'
  | 'signed'
  | 'headers'
  | 'payload'
  | 'hangup_causes'
  | 'connector'
>
/** With problems they would not be saved, and may still show what they would send. */
export type ParsedSettings =
  | { readonly settings: PreviewedSettings; readonly problems: readonly FieldError[] }
  | { readonly settings: null; readonly problems: readonly FieldError[] }

/** What the store would refuse, each by itself: whoever fills in a form is told all of it. */
function refusals(checks: readonly (() => unknown)[]): FieldError[] {
  return checks.flatMap((check) => {
    try {
      check()
      return []
    } catch (error) {
      const { errors } = asProblem(error)
      if (errors === undefined) throw error
      return errors
    }
  })
}

export function parseDraft(given: unknown): ParsedSettings {
  const { value, errors } = parsed(WebhookDraft, given)
  if (errors.length > 0) return { settings: null, problems: errors }
  const settings = { ...(value as WebhookDraft), component: null }
  return { settings, problems: refusals([() => restoreRequestSecrets(requestTo(settings), null)]) }
}

export function parseChange(
  webhook: Webhook,
  given: Readonly<Record<string, unknown>>,
): ParsedSettings {
  const { value, errors } = parsed(WebhookChange, given)
  if (errors.length > 0) {
    const wrong = new Set(errors.map(({ field }) => /^\w*/.exec(field)?.[0] ?? ''))
    const rest = settingsAfter(webhook, rightFields(given))
    return {
      settings: null,
      problems: [...errors, ...refusals([() => checkConsistency(rest, wrong)])],
    }
  }
  const change = value as WebhookChange
  const settings = settingsAfter(webhook, change)
  const inconsistent = refusals([() => checkConsistency(settings)])
  const others = refusals([
    () => checkObjectChange(webhook.scope, change),
    // What is stored is masked here: whether a mask stands for something is told all the same.
    () => restoreRequestSecrets(requestTo(settings), requestTo(webhook)),
  ])
  const problems = [...inconsistent, ...others]
  return inconsistent.length > 0 ? { settings: null, problems } : { settings, problems }
}

const requestTo = (settings: PreviewedSettings) => ({ url: settings.url, request: settings })

/** Those of the fields that are right, taken each by itself. */
export function rightFields(given: Readonly<Record<string, unknown>>): WebhookChange {
  const right = Object.entries(WebhookChange.shape).flatMap(([name, schema]) => {
    const result = Object.hasOwn(given, name) ? schema.safeParse(given[name]) : null
    return result?.success ? [[name, result.data]] : []
  })
  return Object.fromEntries(right) as WebhookChange
}
