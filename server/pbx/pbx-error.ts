/** What can go wrong between Offhook and a PBX, told apart so that callers can decide and people can mend it. */
export type PbxErrorCode =
  | 'asterisk_missing'
  | 'folder_unwritable'
  | 'port_in_use'
  | 'start_failed'
  | 'not_connected'
  | 'no_answer'
  | 'refused'
  | 'protocol'
  | 'busy'
  | 'cannot_be_asked'
  | 'configuration_rejected'

/** An error of the PBX side. The message is one sentence for a person; `code` is for programs. */
export class PbxError extends Error {
  readonly code: PbxErrorCode

  constructor(code: PbxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PbxError'
    this.code = code
  }
}
