/**
 * Finds the audio that an event told of in the folders of an Asterisk. Names come from CEL rows, and so from strangers:
 * only plain names of audio files are looked for, and what is opened is inside the folder also when every link on the
 * way has been followed.
 */
import { constants, type Stats } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { findMessage } from '#server/pbx/asterisk/voicemail-messages.ts'
import type { NoAudio, OpenAudio, WantedAudio } from '#server/pbx/audio.ts'

/** Null: nobody said where it is. */
export interface AudioFolders {
  readonly recordings: string | null
  readonly voicemail: string | null
}

const mediaTypes: Readonly<Record<string, string>> = {
  '.wav': 'audio/wav',
  '.WAV': 'audio/wav',
  '.wav49': 'audio/wav',
  '.gsm': 'audio/x-gsm',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.opus': 'audio/ogg',
  '.ulaw': 'audio/basic',
}

/** No path, nothing hidden, and of a kind that is audio. */
export function isAudioName(name: string): boolean {
  return /^[^./\\\p{Cc}][^/\\\p{Cc}]{0,250}$/u.test(name) && extname(name) in mediaTypes
}

/** `own`: a folder that the ones looked into may not be in; a real path. Throws only what is our own failure. */
export async function openAudioFile(
  folders: AudioFolders,
  wanted: WantedAudio,
  own: string | null,
): Promise<OpenAudio | NoAudio> {
  const named = wanted.kind === 'recording' ? folders.recordings : folders.voicemail
  if (named === null) return 'not_named'
  const root = await realpath(named).catch(() => null)
  if (root === null) return 'unreachable'
  if (own !== null && isWithin(own, root)) return 'not_named'
  if (!isAudioName(wanted.file)) return 'gone'
  if (wanted.kind === 'voicemail') {
    const path = await findMessage(root, wanted, Object.keys(mediaTypes))
    return (path === null ? null : await openInside(root, path)) ?? 'gone'
  }
  for (const path of placesOf(root, wanted.file, wanted.startedAt)) {
    const opened = await openInside(root, path)
    if (opened !== null) return opened
  }
  return 'gone'
}

const dayMs = 86_400_000

/** In the folder itself, or in that of the day, which the PBX has counted in a time zone that we do not know. */
function placesOf(root: string, file: string, startedAt: number): readonly string[] {
  const days = [0, -1, 1].map((offset) =>
    join(...new Date(startedAt + offset * dayMs).toISOString().slice(0, 10).split('-')),
  )
  return [join(root, file), ...days.map((day) => join(root, day, file))]
}

const isWithin = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

const missing: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'EACCES',
  'EPERM',
  'ENXIO',
])

/** Null: there is no such file, or it is outside of the folder `root`, which is a real path. */
async function openInside(root: string, path: string): Promise<OpenAudio | null> {
  try {
    const real = await realpath(path)
    if (!isWithin(root, real)) return null
    const name = real.slice(real.lastIndexOf(sep) + 1)
    const mediaType = mediaTypes[extname(name)]
    // A link to what is not audio.
    if (mediaType === undefined) return null
    // Not by a link that was put there meanwhile; and not waiting for the other end of a pipe.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await open(real, flags)
    const stats: Stats = await handle.stat()
    if (!stats.isFile()) {
      await handle.close()
      return null
    }
    return { handle, name, mediaType, bytes: stats.size, modifiedAt: stats.mtimeMs }
  } catch (error) {
    if (missing.has((error as NodeJS.ErrnoException).code)) return null
    throw error
  }
}
