import { access, readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { AgentToken } from '#contracts/agent.ts'
import { createAgentClient } from '#server/agent/agent-client.ts'
import { runAgent } from '#server/agent/run-agent.ts'
import { version } from '#server/app.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { openLog } from '#server/log.ts'
import { asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import { StartError } from '#server/start-error.ts'

export const agentHelp = `offhook agent --server <url> --token-file <file> [options]

Reads the record of the Asterisk on this machine and ships it to an Offhook server on another one, until Ctrl-C or
SIGTERM. It keeps nothing: where it is cut off or killed, it goes on from what the server has. docs/agent.md.

  --server <url>        the Offhook server, https://…; http:// for an address of this machine only. Several nodes of
                        one database: give each, and the one that runs the service is found
  --token-file <file>   file with the token of the service: POST /api/v1/services/<uuid>/agent-token
  --cel <file>          the CEL file (default: /var/log/asterisk/cel-custom/cel.csv)
  --queue-log <file>    the queue_log (default: /var/log/asterisk/queue_log); "none": do not read it
  --ca <file>           PEM of an authority that signed the server's certificate, beside the usual ones
  --log-level <level>   debug, info (default), warn or error
`

interface AgentSettings {
  readonly servers: readonly string[]
  readonly token: string
  readonly celPath: string
  readonly queueLogPath: string | null
  readonly ca: string | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

const levels: readonly string[] = ['debug', 'info', 'warn', 'error']

/** Throws StartError `usage`. */
async function settingsOf(args: readonly string[]): Promise<AgentSettings> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      server: { type: 'string', multiple: true },
      'token-file': { type: 'string' },
      cel: { type: 'string', default: '/var/log/asterisk/cel-custom/cel.csv' },
      'queue-log': { type: 'string', default: '/var/log/asterisk/queue_log' },
      ca: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    },
  })
  const { server: servers, 'token-file': tokenFile, 'log-level': level } = values
  if (servers === undefined || tokenFile === undefined) {
    throw new StartError('usage', 'it is "agent --server <url> --token-file <file>".')
  }
  if (!levels.includes(level)) {
    throw new StartError('usage', `--log-level takes one of ${levels.join(', ')}.`)
  }
  return {
    servers: servers.map(serverOf),
    token: await tokenIn(tokenFile),
    celPath: values.cel,
    queueLogPath: values['queue-log'] === 'none' ? null : values['queue-log'],
    ca: values.ca === undefined ? null : await textOf(values.ca),
    logLevel: level as AgentSettings['logLevel'],
  }
}

const ownAddress = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** The token opens the service: it does not travel in the clear. */
function serverOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const secure = url?.protocol === 'https:'
  const own = url?.protocol === 'http:' && ownAddress.test(url.hostname)
  if (url === null || !(secure || own)) {
    throw new StartError(
      'usage',
      '--server takes https://<host>[:<port>]; http:// for an address of this machine only.',
    )
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

async function tokenIn(file: string): Promise<string> {
  const token = AgentToken.safeParse((await textOf(file)).trim())
  if (!token.success) throw new StartError('usage', `${file} does not hold an agent token (oha_…).`)
  return token.data
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartError('usage', `${file} cannot be read (${code}).`, { cause: error })
  }
}

const noFile = 'agent: there is no such file, or it may not be read; waiting for it'

export async function runAgentCommand(args: readonly string[], io: CommandIo): Promise<void> {
  const { servers, token, celPath, queueLogPath, ca, logLevel } = await settingsOf(args)
  await using log = await openLog(logLevel, null)
  const [first = '', ...others] = servers
  const clientOf = (server: string) => createAgentClient({ server, token, version, ca })
  const clients = [clientOf(first), ...others.map(clientOf)] as const
  const record = asteriskRecord({ celPath, queueLogPath, beginAt: 'end', rotate: null })
  await io.write(
    `Offhook agent ${version}: ${celPath} goes to ${servers.join(' or ')}. Ctrl-C stops it; nothing is lost by that.\n`,
  )
  for (const path of [celPath, queueLogPath]) {
    if (path !== null) await access(path).catch(() => log.logger.warn({ path }, noFile))
  }
  try {
    await runAgent({ clients, record, log: log.logger }, io.signal)
  } finally {
    await Promise.all(clients.map((client) => client.close()))
  }
}
