import type { TestProject } from 'vitest/node'
import { asteriskRoot, findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the Asterisk tree that every test starts from. */
    asteriskRoot: string
  }
}

/** Gets the Asterisk tree once, before any test; the tests then find it in place. */
export async function setup(project: TestProject): Promise<void> {
  const root = asteriskRoot()
  await findAsterisk({ root, onProgress: (line) => process.stderr.write(`${line}\n`) })
  project.provide('asteriskRoot', root)
}
