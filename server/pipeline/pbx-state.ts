/** How the PBX of a service is doing. All times are epoch milliseconds. */
export interface PbxState {
  readonly is: 'starting' | 'up' | 'waiting_for_document' | 'down'
  readonly since: number
  /** Why it is down; null when it is not. */
  readonly because: string | null
  /** What became of its PBX document; null: it has none, or somebody else configures the PBX. */
  readonly document: DocumentState | null
}

/**
 *   pending ── the PBX took it ──> applied ── another document ──> pending
 *      └────── the PBX refused it ──> rejected ── another document ──> pending
 *
 * While a document is pending or rejected, the one before it is in force.
 */
export interface DocumentState {
  readonly is: 'pending' | 'applied' | 'rejected'
  readonly since: number
  /** The PBX's words to a document that it refused; null else. */
  readonly because: string | null
  /** Part of it comes to life with a restart of the PBX, which waits for the end of the last call. */
  readonly restartNeeded: boolean
}

/** The state with news of the PBX; `since` stays where nothing changed. */
export function withPbx(
  state: PbxState,
  is: PbxState['is'],
  now: number,
  because: string | null = null,
): PbxState {
  if (state.is === is && state.because === because) return state
  return { ...state, is, because, since: state.is === is ? state.since : now }
}

export function withDocument(
  state: PbxState,
  is: DocumentState['is'],
  now: number,
  more: Partial<Pick<DocumentState, 'because' | 'restartNeeded'>> = {},
): PbxState {
  const before = state.document
  const restartNeeded = before?.restartNeeded ?? false
  const document = { is, because: null, restartNeeded, ...more }
  return { ...state, document: { ...document, since: before?.is === is ? before.since : now } }
}
