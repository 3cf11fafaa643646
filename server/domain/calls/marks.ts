/**
 * The marks: rows that the dialplan writes with `CELGenUserEvent(PBX_…,a=1&b=2)`, values URI-encoded. They are a
 * documented contract; an administrator of a foreign dialplan can add them and get the rich events.
 */
import { type Draft, tell } from '#server/domain/calls/draft.ts'
import { offerLeg, placeInternal } from '#server/domain/calls/legs.ts'
import type { CelRow } from '#server/domain/calls/rows.ts'
import { callerLeg, type Leg, type OpenCall, seenUser } from '#server/domain/calls/state.ts'
import { enterVisit, leaveVisit } from '#server/domain/calls/visits.ts'

type MarkFields = Readonly<Record<string, string>>

/**
 * `a=1&b=x%20y` → { a: '1', b: 'x y' }. A value that is not URI-encoded is taken as it stands. The first of two equal
 * names wins: a caller's number that holds `&did=…` must not become the number called.
 */
export function parseMark(text: string): MarkFields {
  // Without a prototype: a field may be called `constructor`.
  const fields: Record<string, string> = Object.create(null)
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=')
    if (equals > 0) fields[pair.slice(0, equals)] ??= decoded(pair.slice(equals + 1))
  }
  return fields
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

interface Marked {
  readonly draft: Draft
  readonly call: OpenCall
  readonly leg: Leg
  readonly at: number
  readonly fields: MarkFields
}

const marks: Readonly<Record<string, (m: Marked) => void>> = {
  PBX_INBOUND: markInbound,
  PBX_USERCALL: markUserCall,
  PBX_LEG_USER: markUserLeg,
  PBX_LEG_EXT: markOutsideLeg,
  PBX_LEAD: ({ call, fields }) => {
    call.leadId = fields.id || null
  },
  PBX_IVR_ENTER: ({ draft, call, at, fields }) => {
    call.ivr = { name: fields.ivr ?? '', option: null }
    call.reached = 'ivr'
    call.reachedUser = null
    tell(draft, call, 'ivr.received', at, { user: null }, null)
  },
  PBX_IVR_OPTION: markIvrOption,
  PBX_QUEUE_ENTER: ({ call, leg, at, fields }) => {
    enterVisit(call, 'queue', fields.queue ?? '', leg.id, at)
  },
  PBX_QUEUE_LEAVE: ({ call, at, fields }) => {
    leaveVisit(call, 'queue', fields.status ?? '', at)
  },
  PBX_RG_ENTER: ({ call, leg, at, fields }) => {
    enterVisit(call, 'ring_group', fields.rg ?? '', leg.id, at)
  },
  PBX_RG_LEAVE: ({ call, at, fields }) => {
    leaveVisit(call, 'ring_group', fields.status ?? '', at)
  },
  PBX_DIVERT: ({ call, fields }) => {
    call.divertedTo = fields.to || null
    if (!fields.user) return
    // No phone of hers rings, but it was to her that the call came.
    call.reached = 'user'
    call.reachedUser = seenUser(call, fields.user)
  },
  PBX_TRANSFER_TO: ({ call, fields }) => {
    if (fields.attended) call.consulting = fields.to || null
  },
  PBX_REC_START: ({ call, at, fields }) => {
    if (fields.file) call.recordings.push({ file: fields.file, startedAt: at })
  },
  PBX_REC_END: markRecordingEnd,
  PBX_VOICEMAIL: markVoicemail,
  PBX_END: ({ call, leg, fields }) => {
    if (leg === callerLeg(call)) call.sipCode = finalResponse(fields.sip ?? '')
  },
  PBX_COMPONENT: ({ draft, call, at, fields }) => {
    const { name = '', ...parameters } = fields
    const user = call.source.user
    tell(draft, call, 'webhook_component_event', at, { user }, { name, parameters })
  },
}

/** Applies a mark; names that are not ours (other programs' CELGenUserEvent) mean nothing. */
export function applyMark(draft: Draft, call: OpenCall, leg: Leg, row: CelRow): void {
  const apply = Object.hasOwn(marks, row.mark) ? marks[row.mark] : undefined
  const text = row.extra.extra
  if (apply === undefined) return
  call.marked = true
  const fields = parseMark(typeof text === 'string' ? text : '')
  apply({ draft, call, leg, at: row.at, fields })
}

function markInbound({ draft, call, leg, at, fields }: Marked): void {
  call.destinationRaw = fields.did || call.destinationRaw
  if (call.kind !== 'undecided' || leg !== callerLeg(call)) return
  leg.kind = 'external'
  leg.user = null
  call.source.user = null
  receiveInbound(draft, call, at)
}

export function receiveInbound(draft: Draft, call: OpenCall, at: number): void {
  call.kind = 'inbound'
  tell(draft, call, 'call.inbound.received', at, { user: null }, null)
}

/**
 * Written when a user dials. A phone that answers 302 makes Asterisk run the same dialplan on a Local channel: that is
 * a forward of the call that is under way, not a call of a user.
 */
function markUserCall({ draft, call, leg, at, fields }: Marked): void {
  if (leg !== callerLeg(call) || call.kind !== 'undecided' || leg.kind === 'local') return
  const extension = fields.user || leg.endpoint
  leg.kind = 'user'
  leg.user = { extension, name: call.source.name }
  call.source.user = leg.user
  call.destinationRaw = fields.to || call.destinationRaw
  if (fields.kind === 'out') call.kind = 'outbound'
  else if (fields.kind === 'int') placeInternal(draft, call, at)
  else call.kind = 'silent'
}

function markUserLeg({ draft, call, leg, at, fields }: Marked): void {
  leg.kind = 'user'
  leg.user = { extension: fields.user || leg.endpoint, name: leg.user?.name ?? null }
  leg.queue = fields.queue || null
  leg.ringGroup = fields.rg || null
  offerLeg(draft, call, leg, at)
}

function markOutsideLeg({ draft, call, leg, at, fields }: Marked): void {
  leg.kind = 'external'
  leg.user = null
  leg.number = fields.to || null
  offerLeg(draft, call, leg, at)
}

/** `option` is what the caller pressed, `i:<digits>` where the IVR has no such option, `t` when the time ran out. */
function markIvrOption({ draft, call, at, fields }: Marked): void {
  const said = fields.option ?? ''
  const invalid = said === 't' || said.startsWith('i:')
  const option = said === 't' ? null : said.replace(/^i:/, '')
  call.ivr = { name: fields.ivr ?? call.ivr?.name ?? '', option }
  tell(draft, call, 'ivr.option_selected', at, { user: null }, { valid: !invalid })
}

/** 8 kHz, 16 bit, mono behind a header of 44 bytes: the only format that the generated configuration writes. */
const wavHeaderBytes = 44
const wavBytesPerMs = 16

function wavMs(bytes: number): number {
  return Math.max(0, Math.round((bytes - wavHeaderBytes) / wavBytesPerMs))
}

function byteCount(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null
}

/** `SIP 486 Busy Here` → 486. A phone that was called off while it rang has given none: its last was 180. */
function finalResponse(text: string): number | null {
  const code = /^SIP ([2-6]\d\d)\b/.exec(text)?.[1]
  return code === undefined ? null : Number(code)
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function markRecordingEnd({ draft, call, at, fields }: Marked): void {
  const path = fields.file
  const started = call.recordings.findIndex((recording) => recording.file === path)
  if (!path || started < 0) return
  const [recording] = call.recordings.splice(started, 1)
  const bytes = byteCount(fields.bytes)
  // A header alone: nobody ever talked, there is nothing to listen to.
  if (bytes !== null && bytes <= wavHeaderBytes) return
  const type =
    call.kind === 'inbound' ? 'recording.inbound.completed' : 'recording.outbound.completed'
  const user = call.kind === 'inbound' ? call.answeredBy : call.source.user
  const file = baseName(path)
  const durationMs = bytes !== null && file.endsWith('.wav') ? wavMs(bytes) : null
  const startedAt = recording?.startedAt ?? at
  const before = call.sequence
  tell(draft, call, type, at, { user }, { file, startedAt, bytes, durationMs })
  // A silent call tells nothing.
  if (call.sequence > before) call.recorded ??= { callId: call.id, sequence: call.sequence, at }
}

function markVoicemail({ draft, call, at, fields }: Marked): void {
  call.voicemailReached = true
  if (fields.status !== 'SUCCESS' || !fields.file || !fields.mailbox) return
  call.voicemailLeft = true
  const bytes = byteCount(fields.bytes)
  const details = {
    mailbox: fields.mailbox,
    file: `${baseName(fields.file)}.wav`,
    durationMs: bytes === null ? null : wavMs(bytes),
  }
  const user = seenUser(call, fields.mailbox)
  tell(draft, call, 'voicemail.left', at, { user }, details)
}
