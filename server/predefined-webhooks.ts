import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { PredefinedWebhook } from '#contracts/predefined.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { mergeSettings } from '#server/domain/merge-settings.ts'
import { StartError } from '#server/start-error.ts'

/** The definitions of the folder, a JSON file each, by name. Throws StartError `wrong_definition`. */
export function readPredefinedWebhooks(folder: string): ReadonlyMap<string, PredefinedWebhook> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const definitions = files.toSorted().map((name) => readDefinition(join(folder, name)))
  return new Map(definitions.map((definition) => [definition.name, definition]))
}

function readDefinition(path: string): PredefinedWebhook {
  const wrong = (why: string) =>
    new StartError('wrong_definition', `${path} is no predefined webhook: ${why}`)
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  const definition = PredefinedWebhook.safeParse(json)
  if (!definition.success) throw wrong(z.prettifyError(definition.error))
  const { settings, example } = definition.data
  const draft = WebhookDraft.safeParse(mergeSettings(settings, example))
  if (!draft.success) throw wrong(z.prettifyError(draft.error))
  return definition.data
}
