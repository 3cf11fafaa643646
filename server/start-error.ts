export type StartErrorCode =
  | 'settings'
  | 'usage'
  | 'interrupted'
  | 'port_in_use'
  | 'address_unavailable'
  | 'data_folder_unwritable'
  | 'data_folder_in_use'
  | 'log_unwritable'
  | 'no_asterisk'
  | 'demo_failed'
  | 'no_api_key'
  | 'no_demo_pbx'
  | 'demo_timeout'
  | 'api'

/** Why the command cannot go on. The message is for a person and says what to mend; `code` is for programs. */
export class StartError extends Error {
  readonly code: StartErrorCode

  constructor(code: StartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StartError'
    this.code = code
  }
}
