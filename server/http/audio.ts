/**
 * Sends audio files, whole or a range, as players ask for it. What was opened is what is sent: nothing is looked up by
 * its name again.
 *
 * What happens when: the client goes away: the file is closed. It takes nothing for a minute: its connection is cut. The
 * server stops: files under way are cut, a stop does not wait for them. The file gets shorter meanwhile: the connection
 * is cut, for the rest that was promised does not come.
 */
import type { ReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { rangeOf } from '#server/http/byte-range.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { CallAudio } from '#server/pipeline/call-audio.ts'

export interface AudioSender {
  /** Closes the file, whatever comes. Throws `range_not_satisfiable`, `too_many_downloads`. */
  readonly send: (request: FastifyRequest, reply: FastifyReply, file: AudioFile) => Promise<unknown>
  /** Cuts those under way. */
  readonly cut: () => void
}

export interface AudioFile extends CallAudio {
  readonly accountId: string
  /** To be saved, not played. */
  readonly download: boolean
}

interface Limits {
  readonly stallMs: number
  /** Of one account, at the same time. */
  readonly most: number
}

export function createAudioSender(
  log: Logger,
  { stallMs, most }: Limits = { stallMs: 60_000, most: 16 },
): AudioSender {
  const underWay = new Map<ReadStream, string>()

  function begin(request: FastifyRequest, reply: FastifyReply, file: AudioFile): unknown {
    const { handle, bytes, accountId } = file
    const etag = `"${bytes.toString(36)}-${Math.floor(file.modifiedAt).toString(36)}"`
    const range = isForThis(request, etag) ? rangeOf(request.headers.range, bytes) : 'whole'
    reply.headers({
      etag,
      'accept-ranges': 'bytes',
      'last-modified': new Date(file.modifiedAt).toUTCString(),
    })
    if (range === 'none') {
      reply.header('content-range', `bytes */${bytes}`)
      throw new ProblemError('range_not_satisfiable')
    }
    const { first, last } = range === 'whole' ? { first: 0, last: bytes - 1 } : range
    if (range !== 'whole') {
      reply.code(206).header('content-range', `bytes ${first}-${last}/${bytes}`)
    }
    reply.headers({
      'content-type': file.mediaType,
      'content-length': last - first + 1,
      'content-disposition': dispositionOf(file),
    })
    if (request.method === 'HEAD' || last < first) return null
    if ([...underWay.values()].filter((id) => id === accountId).length >= most) {
      throw new ProblemError('too_many_downloads')
    }
    const stream = handle.createReadStream({ start: first, end: last })
    underWay.set(stream, accountId)
    stream.once('close', () => underWay.delete(stream))
    stream.once('error', (error) => {
      log.warn({ request_id: request.id, file: file.name, err: error }, 'a recording was cut')
    })
    reply.raw.setTimeout(stallMs, () => reply.raw.destroy())
    return stream
  }

  return {
    async send(request, reply, file) {
      let stream: unknown = null
      try {
        stream = begin(request, reply, file)
      } finally {
        // A stream closes it itself.
        if (stream === null) await file.handle.close()
      }
      // As a stream: of a HEAD without one Fastify would say that there is nothing.
      return await reply.send(stream ?? Readable.from([]))
    },
    cut() {
      for (const stream of underWay.keys()) stream.destroy(new Error('the server stops'))
    },
  }
}

/** A range of what the client has a part of: with another version of the file it gets all of it. */
function isForThis({ headers }: FastifyRequest, etag: string): boolean {
  const condition = headers['if-range']
  return condition === undefined || condition === etag
}

/** Names of files come from strangers too; a header takes no more than this of them. */
function dispositionOf({ name, download }: AudioFile): string {
  return `${download ? 'attachment' : 'inline'}; filename="${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}"`
}
