import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Logger } from 'pino'
import { type App, openApp } from '#server/app.ts'
import type { CommandIo } from '#server/cli/command.ts'
import type { Config } from '#server/config.ts'
import { openDataFolder } from '#server/data-folder.ts'
import { openLog } from '#server/log.ts'
import { aborted } from '#server/pipeline/pause.ts'
import type { PbxState } from '#server/pipeline/pbx-state.ts'

export const startHelp = `offhook start

Starts the server and the PBXs that it manages, and runs until Ctrl-C or SIGTERM; a second Ctrl-C does not wait for
what is under way. Settings are environment variables: docs/configuration.md.
`

/** The log would write over what a person reads in a terminal, so there it goes to a file. */
function logFileOf(config: Config, terminal: boolean): string | null {
  if (config.logFile !== undefined) return config.logFile
  return terminal ? join(config.dataFolder, 'offhook.log') : null
}

function keyLines({ key }: App): readonly string[] {
  switch (key.kind) {
    case 'new':
      return [key.key, `(kept in ${key.path}, which only you can read; it is not shown again)`]
    case 'kept':
      return [`in ${key.path}`]
    case 'elsewhere':
      return ['shown by an earlier start; "npm run -s offhook -- keys create <name>" makes another']
  }
}

function pbxText(pbx: PbxState): string {
  switch (pbx.is) {
    case 'up':
      return 'up'
    case 'starting':
      return 'starting'
    case 'waiting_for_document':
      return 'waits for its PBX document'
    case 'down':
      return `down, tried again. ${pbx.because}`
  }
}

function pbxLines({ services }: App): readonly string[] {
  const lines = services
    .states()
    .map(({ service, pbx }) => `${service.friendly_name}: ${pbxText(pbx)}`)
  return lines.length > 0 ? lines : ['none; POST /api/v1/services connects one']
}

function testCallLines({ demo }: App): readonly string[] {
  if (demo === null) return []
  if ('because' in demo.world) return [`not possible. ${demo.world.because}`]
  return ['npm run demo, in a second terminal']
}

/** What a person sees when everything is up. */
function welcome(app: App, logFile: string | null): string {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['API', [`${app.url}/api/v1`, `(described in ${app.url}/api/openapi.json)`]],
    ['API key', keyLines(app)],
    ['PBX', pbxLines(app)],
    ['Test call', testCallLines(app)],
    ['Log', [logFile ?? 'stderr']],
  ]
  const lines = rows.flatMap(([name, texts]) =>
    texts.map((text, i) => `  ${(i === 0 ? name : '').padEnd(11)}${text}`),
  )
  return [
    '',
    `Offhook ${app.version} is up.`,
    '',
    ...lines,
    '',
    'Ctrl-C stops everything.',
    '',
    '',
  ].join('\n')
}

async function serveUntilStopped(
  config: Config,
  log: Logger,
  logFile: string | null,
  io: CommandIo,
): Promise<void> {
  const { signal } = io
  await using app = await openApp({ config, log, onProgress: io.warn, signal })
  await io.write(welcome(app, logFile))
  await Promise.race([aborted(signal), app.failed])
  if (io.terminal) await io.write('\nStopping …\n')
}

export async function runStart(args: readonly string[], io: CommandIo): Promise<void> {
  parseArgs({ args: [...args], options: {} })
  const config = io.config()
  await openDataFolder(config.dataFolder)
  const logFile = logFileOf(config, io.terminal)
  await using log = await openLog(config.logLevel, logFile)
  try {
    await serveUntilStopped(config, log.logger, logFile, io)
  } catch (error) {
    // Ctrl-C during the start is an orderly end, whatever the part under way says to it.
    if (!io.signal.aborted) throw error
  }
  if (io.terminal) await io.write('Stopped.\n')
}
