/**
 * Every setting once, with its environment variable, default and description. `docs/configuration.md` is made
 * from this table by `npm run docs`.
 */
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { nearestName } from '#contracts/nearest-name.ts'
import { parseAddressRanges } from '#server/domain/address-policy.ts'
import { plainWords } from '#server/domain/plain-words.ts'
import { proxyOf } from '#server/outbound/proxy.ts'
import { StartError } from '#server/start-error.ts'

/** The folder that holds package.json. */
export const projectFolder = dirname(dirname(fileURLToPath(import.meta.url)))

interface Setting<S extends z.ZodType = z.ZodType> {
  readonly env: string
  /** Parses the text of the variable; has the default where one can be written down. */
  readonly schema: S
  /** The default in words, where it is not a plain value. */
  readonly defaultText?: string
  readonly description: string
}

const setting = <S extends z.ZodType>(s: Setting<S>): Setting<S> => s

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be from ${least} to ${most}`)

const onOff = z.enum(['on', 'off'], 'must be on or off').transform((value) => value === 'on')

/** The text as `read` makes it; what it throws says what is wrong. */
const readBy = <T>(read: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return read(text)
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message: error instanceof Error ? error.message : 'wrong',
      })
      return z.NEVER
    }
  })

/** Without a slash at its end. Throws what is wrong. */
function publicUrlOf(text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error('must be an address with http:// or https://')
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new Error('must be an address alone, without ?, # and user')
  }
  return url.href.replace(/\/+$/, '')
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds; null for `off`. */
const duration = z
  .string()
  .regex(/^([1-9]\d{0,4}(s|min|h|d)|off)$/, 'must be a whole number with s, min, h or d, or off')
  .transform((text) => {
    const [, count, unit] = /^(\d+)(\D+)$/.exec(text) ?? []
    return count === undefined ? null : Number(count) * (unitMs[unit ?? ''] ?? 0)
  })

const folder = z
  .string()
  .min(1)
  .transform((path) => resolve(path))

export const settings = {
  dataFolder: setting({
    env: 'OFFHOOK_DATA',
    schema: folder.default(join(projectFolder, '.offhook')),
    defaultText: '`.offhook` in the project folder',
    description:
      'Folder of everything that Offhook keeps: database, encryption key, first API key, PBX configuration, recordings, log. Back it up as a whole.',
  }),
  host: setting({
    env: 'OFFHOOK_HOST',
    schema: z.string().min(1).default('127.0.0.1'),
    description:
      'Address that the API listens on. The default is reachable from this machine only; use `0.0.0.0` or `::` behind a proxy that speaks TLS.',
  }),
  port: setting({
    env: 'OFFHOOK_PORT',
    schema: wholeNumber(0, 65_535).default(8420),
    description: 'Port of the API. 0 takes any free port and prints it.',
  }),
  database: setting({
    env: 'OFFHOOK_DATABASE',
    schema: z
      .string()
      .regex(
        /^(sqlite:.+|postgres(ql)?:\/\/.+)/s,
        'must be sqlite: and the path of a file, or postgres://user:password@host:port/database',
      )
      .optional(),
    defaultText: '`sqlite:` and `offhook.db` in the data folder',
    description:
      'The database: `sqlite:` and the path of its file, for one machine; or `postgres://user:password@host:port/database`, a database of PostgreSQL 14 or newer that is there, for as many machines as you like ([how](postgresql.md)).',
  }),
  secretKeyFile: setting({
    env: 'OFFHOOK_SECRET_KEY_FILE',
    schema: folder.optional(),
    defaultText: '`secret.key` beside the SQLite file; with PostgreSQL in the data folder',
    description:
      'File of the key that secrets in the database are sealed with; made for a new database. Every machine on one database has the same.',
  }),
  asteriskRoot: setting({
    env: 'OFFHOOK_ASTERISK_ROOT',
    schema: folder.default(join(projectFolder, '.offhook', 'asterisk')),
    defaultText: '`.offhook/asterisk` in the project folder',
    description:
      'Folder of the Asterisk that `scripts/get-asterisk.sh` unpacks. Where there is none, an Asterisk 20 or newer on the PATH is taken, or one is fetched from the mirror of the machine’s apt.',
  }),
  demoPbx: setting({
    env: 'OFFHOOK_DEMO_PBX',
    schema: onOff.default(true),
    description:
      'Whether the first start creates a service with the demo PBX: `on` or `off`. Later starts run the services that there are.',
  }),
  logLevel: setting({
    env: 'OFFHOOK_LOG_LEVEL',
    schema: z
      .enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')
      .default('info'),
    description:
      'Least level of the log: `debug`, `info`, `warn` or `error`. With `debug`, errors that end the command show their stack.',
  }),
  logFile: setting({
    env: 'OFFHOOK_LOG_FILE',
    schema: folder.optional(),
    defaultText: 'stderr; in a terminal `offhook.log` in the data folder',
    description:
      'File of the log, JSON lines. At 20 MiB it is renamed to `….1`, which replaces the one before.',
  }),
  retentionDays: setting({
    env: 'OFFHOOK_RETENTION_DAYS',
    schema: wholeNumber(1, 3650).default(30),
    description: 'Days for which events, finished deliveries and their attempts are kept.',
  }),
  publicUrl: setting({
    env: 'OFFHOOK_PUBLIC_URL',
    schema: readBy(publicUrlOf).optional(),
    defaultText: 'none: events carry no links',
    description:
      'Where Offhook is reached by those who get its events: `https://pbx.example.com`, also with a path where a proxy has it under one. Events of recordings and voicemail carry a link to the audio then, which works without an API key.',
  }),
  recordingLinkMs: setting({
    env: 'OFFHOOK_RECORDING_LINK_TTL',
    schema: duration.default(7 * 86_400_000),
    defaultText: '`7d`',
    description:
      'How long after its event a link to audio works. A whole number with `s`, `min`, `h` or `d`; `off`: events carry no links.',
  }),
  allowAddresses: setting({
    env: 'OFFHOOK_ALLOW_ADDRESSES',
    schema: readBy(parseAddressRanges).default([]),
    defaultText: 'none: receivers are on the Internet',
    description:
      'Addresses beside those of the Internet that requests may go to: addresses and blocks, separated by commas, as in `127.0.0.1, 10.20.0.0/16, fd12::/48`. Everybody who may create a webhook can make Offhook send there. Addresses of cloud metadata are reached only where one is named exactly.',
  }),
  denyAddresses: setting({
    env: 'OFFHOOK_DENY_ADDRESSES',
    schema: readBy(parseAddressRanges).default([]),
    defaultText: 'none',
    description:
      'Addresses that no request may go to, whatever is allowed: addresses and blocks, separated by commas.',
  }),
  proxy: setting({
    env: 'OFFHOOK_PROXY',
    schema: readBy(proxyOf).optional(),
    defaultText: 'none: straight to the receivers',
    description:
      'HTTP proxy that all requests to receivers go through, by `CONNECT`: `http://proxy.example:3128`, also `https://` and with `user:password@`. The proxy resolves the names then, so it must refuse private addresses itself; Offhook refuses only those that a URL names. Other variables for proxies (`HTTPS_PROXY` …) are not heeded.',
  }),
  disableAfterMs: setting({
    env: 'OFFHOOK_DISABLE_AFTER',
    schema: duration.default(5 * 86_400_000),
    defaultText: '`5d`',
    description:
      'A webhook whose receiver did nothing but fail for so long is disabled, and the event `webhook.disabled` tells it; what happens meanwhile is held until somebody enables it. A whole number with `s`, `min`, `h` or `d`; `off`: never.',
  }),
  maxInFlight: setting({
    env: 'OFFHOOK_MAX_IN_FLIGHT',
    schema: wholeNumber(1, 10_000).default(384),
    description:
      'Requests to all receivers together that may be under way at the same time. Receivers that fail or take more than a second share a third of it. Another third is kept back for the others, for when many turn slow at once and hold all the rest.',
  }),
  stopSeconds: setting({
    env: 'OFFHOOK_STOP_SECONDS',
    schema: wholeNumber(0, 600).default(10),
    description:
      'How long a stop waits for requests to receivers that are under way. What is not over then goes out again after the next start.',
  }),
} as const satisfies Record<string, Setting>

type SettingName = keyof typeof settings
type Values = { readonly [K in SettingName]: z.output<(typeof settings)[K]['schema']> }

/** The settings of this process, parsed, with paths absolute and defaults filled in. */
export interface Config extends Omit<Values, 'database' | 'secretKeyFile'> {
  /** `sqlite:` and an absolute path, or `postgres://…`. */
  readonly database: string
  readonly secretKeyFile: string
}

function unknownVariables(env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const names = Object.values(settings).map((s) => s.env)
  return Object.keys(env)
    .filter((name) => name.startsWith('OFFHOOK_') && !names.includes(name))
    .map((name) => {
      const nearest = nearestName(name, names)
      return `${name}: there is no such setting${nearest === null ? '' : `; did you mean ${nearest}?`}`
    })
}

/** A variable set to nothing counts as not set, as service files and containers write it. */
const given = (env: Readonly<NodeJS.ProcessEnv>, name: string) =>
  env[name] === '' ? undefined : env[name]

/** Reads the settings from `env`. Throws one StartError `settings` that names every wrong variable. */
export function readConfig(env: Readonly<NodeJS.ProcessEnv>): Config {
  const wrong: string[] = [...unknownVariables(env)]
  const values: Record<string, unknown> = {}
  for (const [name, { env: variable, schema }] of Object.entries(settings)) {
    const result = schema.safeParse(given(env, variable), { error: plainWords })
    if (result.success) values[name] = result.data
    else wrong.push(...result.error.issues.map((issue) => `${variable}: ${issue.message}`))
  }
  if (wrong.length > 0) {
    throw new StartError('settings', `Wrong settings: ${wrong.join('; ')}.`)
  }
  const config = values as Values
  const database = databaseOf(config)
  const keyFolder = database.startsWith('sqlite:')
    ? dirname(database.slice('sqlite:'.length))
    : config.dataFolder
  return {
    ...config,
    database,
    secretKeyFile: config.secretKeyFile ?? join(keyFolder, 'secret.key'),
  }
}

function databaseOf({ database, dataFolder }: Values): string {
  if (database === undefined) return `sqlite:${join(dataFolder, 'offhook.db')}`
  return database.startsWith('sqlite:')
    ? `sqlite:${resolve(database.slice('sqlite:'.length))}`
    : database
}
