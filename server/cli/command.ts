import type { Config } from '#server/config.ts'

/** What a command has of the world. */
export interface CommandIo {
  /** Writes to stdout; resolves when the reader has room for more. */
  readonly write: (text: string) => Promise<void>
  /** Writes one line to stderr. */
  readonly warn: (line: string) => void
  /** Reads the settings, for commands that need them; throws a StartError. */
  readonly config: () => Config
  /** Whether a person looks at stdout. */
  readonly terminal: boolean
  /** How many characters a line has there; Infinity where nobody looks. */
  readonly columns: number
  /** Aborted by Ctrl-C or SIGTERM: the command ends in order. */
  readonly signal: AbortSignal
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** The whole help, for `offhook <command> --help`. */
  readonly help: string
  readonly run: (args: readonly string[], io: CommandIo) => Promise<void>
}
