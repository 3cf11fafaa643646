import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { PredefinedWebhook } from '#contracts/predefined.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { mergeSettings } from '#server/domain/merge-settings.ts'
import { StartError } from '#server/start-error.ts'

/** The definitions of the folders that are there, a JSON file each, by name. Throws StartError `wrong_definition`. */
export function readPredefinedWebhooks(
  ...folders: readonly string[]
): ReadonlyMap<string, PredefinedWebhook> {
  const definitions = new Map<string, PredefinedWebhook>()
  const files = folders.filter((folder) => existsSync(folder)).flatMap(definitionFiles)
  for (const path of files) {
    const definition = readDefinition(path)
    const { name } = definition
    if (definitions.has(name)) throw wrong(path, `there is another one with the name "${name}"`)
    definitions.set(name, definition)
  }
  return definitions
}

const definitionFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => join(folder, name))

const wrong = (path: string, why: string) =>
  new StartError('wrong_definition', `${path} is no predefined webhook: ${why}`)

function readDefinition(path: string): PredefinedWebhook {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw wrong(path, error instanceof Error ? error.message : String(error))
  }
  const definition = PredefinedWebhook.safeParse(json)
  if (!definition.success) throw wrong(path, z.prettifyError(definition.error))
  const { settings, example } = definition.data
  const draft = WebhookDraft.safeParse(mergeSettings(settings, example))
  if (!draft.success) throw wrong(path, z.prettifyError(draft.error))
  return definition.data
}
