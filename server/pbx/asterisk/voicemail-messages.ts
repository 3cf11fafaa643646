/**
 * Which file is the message that an event told of. Asterisk numbers the messages of a folder anew whenever one is
 * deleted, and moves those that were heard: `msg0000.wav` of an event can be another caller's message an hour later. The
 * text file beside each message says when it was left, and so which it is.
 */
import type { Dirent } from 'node:fs'
import { access, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { WantedAudio } from '#server/pbx/audio.ts'

type Wanted = Extract<WantedAudio, { kind: 'voicemail' }>

/** What a `msg….txt` says of its message. */
interface Message {
  /** Path without its ending. */
  readonly path: string
  /** Epoch seconds at which the caller began to speak, and for how long. */
  readonly begun: number
  readonly duration: number
  readonly caller: string
}

/** A mailbox may have a context: `201@sales`. */
const mailboxName = /^([A-Za-z0-9_-]{1,80})(?:@([A-Za-z0-9_-]{1,80}))?$/
const messageName = /^msg\d{4,6}$/
/** Ten full folders; what is behind them is not looked at. */
const mostMessages = 10_000

/** `endings`: of audio files, the first that is there is taken. Null: the message is not there. */
export async function findMessage(
  root: string,
  wanted: Wanted,
  endings: readonly string[],
): Promise<string | null> {
  const [, mailbox, context = 'default'] = mailboxName.exec(wanted.mailbox) ?? []
  if (mailbox === undefined) return null
  const folder = join(root, context, mailbox)
  const base = wanted.file.replace(/\.[^.]*$/, '')
  let best: { readonly path: string; readonly late: number } | null = null
  const look = (message: Message) => {
    const late = lateness(message, wanted)
    if (late !== null && (best === null || late < best.late)) best = { path: message.path, late }
  }
  // Where it was left, and most often still is.
  const first = messageName.test(base) ? await readMessage(join(folder, 'INBOX', base)) : null
  if (first !== null) look(first)
  if (best === null) for await (const message of messagesIn(folder)) look(message)
  const found = best as { readonly path: string } | null
  return found === null ? null : await withEnding(found.path, endings)
}

async function* messagesIn(folder: string): AsyncGenerator<Message> {
  let seen = 0
  for (const box of await entriesOf(folder)) {
    if (!box.isDirectory()) continue
    for (const entry of await entriesOf(join(folder, box.name))) {
      const name = entry.name.replace(/\.txt$/, '')
      if (name === entry.name || !entry.isFile() || !messageName.test(name)) continue
      seen += 1
      if (seen > mostMessages) return
      const message = await readMessage(join(folder, box.name, name))
      if (message !== null) yield message
    }
  }
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  return await readdir(folder, { withFileTypes: true }).catch(() => [])
}

/** Some hundred bytes; a stranger's file may be of any size. */
const mostBytes = 8 * 1024

/** Null: there is none, or it does not say what it must. */
async function readMessage(path: string): Promise<Message | null> {
  const text = await readStart(`${path}.txt`).catch(() => null)
  if (text === null) return null
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
  const [begun, duration] = [field('origtime'), field('duration')]
  if (!/^\d{1,12}$/.test(begun) || !/^\d{1,6}$/.test(duration)) return null
  return { path, begun: Number(begun), duration: Number(duration), caller: field('callerid') }
}

async function readStart(path: string): Promise<string> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(mostBytes), position: 0 })
  return buffer.toString('utf8', 0, bytesRead)
}

/** How late the mark is written after the last word: silence at the end is cut off the message. */
const silenceSeconds = 20
/** Whole seconds on both sides, and two clocks. */
const blurSeconds = 2

/** How long after its last word the message was told of; null: it is another message. */
function lateness({ begun, duration, caller }: Message, wanted: Wanted): number | null {
  const late = wanted.leftAt / 1000 - (begun + duration)
  if (late < -blurSeconds || late > silenceSeconds) return null
  if (wanted.duration !== null && Math.abs(wanted.duration - duration) > blurSeconds) return null
  // Rather no message than that of somebody else.
  if (wanted.caller !== null && !caller.includes(wanted.caller)) return null
  return Math.abs(late)
}

async function withEnding(path: string, endings: readonly string[]): Promise<string | null> {
  for (const ending of endings) {
    const there = await access(path + ending).then(
      () => true,
      () => false,
    )
    if (there) return path + ending
  }
  return null
}
