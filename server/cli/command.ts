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
  /** Aborted by Ctrl-C, by SIGTERM, and when whoever reads stdout has gone away: the command ends in order. */
  readonly signal: AbortSignal
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** The whole help, for `offhook <command> --help`. */
  readonly help: string
  /**
   * It puts away what it made also when its terminal is closed. The others have nothing to put away, or are to live on
   * under nohup.
   */
  readonly endsWithTerminal?: true
  readonly run: (args: readonly string[], io: CommandIo) => Promise<void>
}
