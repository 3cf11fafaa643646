import type { TestProject } from 'vitest/node'
import { settings } from '#server/config.ts'
import { findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the Asterisk tree that every test starts from. */
    asteriskRoot: string
  }
}

/** Gets the Asterisk tree once, before any test; the tests then find it in place. */
export async function setup(project: TestProject): Promise<void> {
  const { env, schema } = settings.asteriskRoot
  const root = schema.parse(process.env[env])
  await findAsterisk({ root, onProgress: (line) => process.stderr.write(`${line}\n`) })
  project.provide('asteriskRoot', root)
}
