import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { PredefinedWebhook } from '#contracts/predefined.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { projectFolder } from '#server/config.ts'
import { mergeSettings } from '#server/domain/merge-settings.ts'

export interface PredefinedWebhooks {
  /** By name. */
  readonly definitions: ReadonlyMap<string, PredefinedWebhook>
  /** Why files were left out, a sentence each. */
  readonly leftOut: readonly string[]
}

/**
 * Those that come with Offhook, and the administrator's own ones in the data folder: a JSON file each. What is wrong is
 * left out: deliveries must not wait until somebody has mended a form.
 */
export function readPredefinedWebhooks(dataFolder: string): PredefinedWebhooks {
  const definitions = new Map<string, PredefinedWebhook>()
  const leftOut: string[] = []
  const folders = [join(projectFolder, 'predefined'), join(dataFolder, 'predefined')]
  for (const path of folders.flatMap(definitionFiles)) {
    const read = readDefinition(path)
    if ('wrong' in read) leftOut.push(`${path} is no predefined webhook: ${read.wrong}`)
    else if (definitions.has(read.name)) {
      leftOut.push(`${path}: there is another predefined webhook with the name "${read.name}"`)
    } else definitions.set(read.name, read)
  }
  return { definitions, leftOut }
}

function definitionFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.toSorted().map((name) => join(folder, name))
}

function readDefinition(path: string): PredefinedWebhook | { readonly wrong: string } {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
  const definition = PredefinedWebhook.safeParse(json)
  if (!definition.success) return { wrong: z.prettifyError(definition.error) }
  const { settings, example } = definition.data
  const draft = WebhookDraft.safeParse(mergeSettings(settings, example))
  return draft.success ? definition.data : { wrong: z.prettifyError(draft.error) }
}
