import { connect, type Socket } from 'node:net'
import {
  type AmiFields,
  type AmiFrame,
  amiField,
  createAmiDecoder,
  encodeAmiAction,
} from '#server/pbx/asterisk/ami-codec.ts'
import type { LinkDownReason } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/** More actions than this under way mean that nobody answers; what comes then is refused, not stored. */
const maxUnderWay = 200
/** A list of more entries is not held in memory. */
const maxListEntries = 100_000

export interface AmiSessionOptions {
  readonly host: string
  readonly port: number
  readonly onEvent: (event: AmiFrame) => void
  readonly signal: AbortSignal
  /** Whether nothing may be said to a peer with this address. */
  readonly refuses?: (address: string) => boolean
  readonly pingIntervalMs?: number
  readonly actionTimeoutMs?: number
}

/** One TCP connection to the manager interface. */
export interface AmiSession {
  action(name: string, fields?: AmiFields): Promise<AmiFrame>
  list(name: string, fields?: AmiFields): Promise<readonly AmiFrame[]>
  end(reason: LinkDownReason): void
  /** Settles when the socket is closed, with the first reason that was seen. */
  readonly ended: Promise<LinkDownReason>
}

interface UnderWay {
  /** Collects the events of a list; null for a plain action. */
  readonly entries: AmiFrame[] | null
  readonly settle: (result: AmiFrame | PbxError) => void
}

/** Connects at once; actions may be sent before the connection stands. */
export function openAmiSession(options: AmiSessionOptions): AmiSession {
  const timeoutMs = options.actionTimeoutMs ?? 5000
  const decoder = createAmiDecoder()
  const socket = connect({ host: options.host, port: options.port, noDelay: true })
  const actions = actionsOver(socket, timeoutMs)
  let reason: LinkDownReason | null = null
  let bannerSeen = false

  const end = (why: LinkDownReason) => {
    reason ??= why
    socket.destroy()
  }
  const receive = (frame: AmiFrame) => {
    if (!bannerSeen) {
      bannerSeen = true
      if (!amiField(frame, '').startsWith('Asterisk Call Manager/')) return end('protocol error')
    }
    if (!actions.take(frame) && frame.has('event')) options.onEvent(frame)
  }
  // Before what waits for the connection is written.
  socket.on('connect', () => {
    if (options.refuses?.(socket.remoteAddress ?? '')) end('address refused')
  })
  socket.on('data', (bytes) => {
    try {
      for (const frame of decoder.push(bytes)) receive(frame)
    } catch (error) {
      if (error instanceof PbxError) end('protocol error')
      else throw error
    }
  })
  socket.on('error', (error: NodeJS.ErrnoException) => end(reasonOf(error)))
  socket.on('end', () => end('closed'))

  const ping = setInterval(() => {
    actions.send('Ping', {}, null).catch(() => end('no answer'))
  }, options.pingIntervalMs ?? 10_000)
  const onAbort = () => end('closed')
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()

  const ended = new Promise<LinkDownReason>((resolve) => {
    socket.once('close', () => {
      clearInterval(ping)
      options.signal.removeEventListener('abort', onAbort)
      actions.fail(new PbxError('not_connected', 'The connection to the PBX was lost.'))
      resolve(reason ?? 'closed')
    })
  })

  return {
    action: (name, fields = {}) => actions.send(name, fields, null),
    list: async (name, fields = {}) => {
      const entries: AmiFrame[] = []
      await actions.send(name, fields, entries)
      return entries
    },
    end,
    ended,
  }
}

/** The actions of one connection that wait for their answers. */
function actionsOver(socket: Socket, timeoutMs: number) {
  const underWay = new Map<string, UnderWay>()
  let lastId = 0
  return {
    send: (name: string, fields: AmiFields, entries: AmiFrame[] | null) =>
      new Promise<AmiFrame>((resolve, reject) => {
        if (socket.destroyed) throw new PbxError('not_connected', 'The PBX is not connected.')
        if (underWay.size >= maxUnderWay) {
          throw new PbxError('busy', `${maxUnderWay} commands to the PBX are not yet answered.`)
        }
        lastId += 1
        const id = `offhook-${lastId}`
        const bytes = encodeAmiAction(name, { ...fields, ActionID: id })
        const settle = (result: AmiFrame | PbxError) => {
          clearTimeout(timer)
          underWay.delete(id)
          if (result instanceof PbxError) reject(result)
          else resolve(result)
        }
        const timer = setTimeout(() => {
          settle(new PbxError('no_answer', `The PBX did not answer ${name} in ${timeoutMs} ms.`))
        }, timeoutMs)
        underWay.set(id, { entries, settle })
        socket.write(bytes)
      }),
    /** True: the frame belongs to an action. */
    take: (frame: AmiFrame): boolean => {
      const asked = underWay.get(amiField(frame, 'ActionID'))
      if (asked) answer(asked, frame)
      return asked !== undefined
    },
    fail: (error: PbxError) => {
      for (const { settle } of [...underWay.values()]) settle(error)
    },
  }
}

/** A list is: a response, events that carry the ActionID, and one that says `EventList: Complete`. */
function answer(asked: UnderWay, frame: AmiFrame): void {
  if (frame.has('response')) {
    const response = amiField(frame, 'Response')
    if (response === 'Error') {
      asked.settle(new PbxError('refused', `The PBX refused: ${amiField(frame, 'Message')}.`))
    } else if (asked.entries === null) {
      asked.settle(frame)
    }
    return
  }
  if (amiField(frame, 'EventList').toLowerCase() === 'complete') asked.settle(frame)
  else if (asked.entries === null) return
  else if (asked.entries.length < maxListEntries) asked.entries.push(frame)
  else asked.settle(new PbxError('protocol', `The PBX listed more than ${maxListEntries} entries.`))
}

function reasonOf(error: NodeJS.ErrnoException): LinkDownReason {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'no answer'
    default:
      return 'closed'
  }
}
