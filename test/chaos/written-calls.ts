/** A PBX's record that grows: one recorded call, written again and again as calls of their own, several at a time. */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Chance } from '#test/chaos/chance.ts'
import { tracesFolder } from '#test/traces/read-trace.ts'

export const recorded = '01-inbound-answered-caller-hangup'
/** The channels of the recording, the caller's and that of user 201. */
const channels = [
  { id: 'pbx1-1795359620.0', name: 'PJSIP/trunk-00000000' },
  { id: 'pbx1-1795359620.1', name: 'PJSIP/201-00000001' },
]
const timeColumn = /^("[^"]*","[^"]*",)"[\d.]+"/

export interface CallWriter extends AsyncDisposable {
  /** Calls whose last row is in the file. */
  readonly ended: () => number
  /** Begins no further call, writes those that are open to their end and gives how many there were in all. */
  readonly stop: () => Promise<number>
}

export interface Pace {
  /** Calls that are open at the same time. */
  readonly atOnce: number
  readonly everyMs: number
}

/**
 * Writes rows as Asterisk does, appended in the order of their time, but cut anywhere: the file is read while half a
 * row stands in it. `clock` gives the PBX's time in epoch milliseconds.
 */
export function writeCalls(
  file: string,
  { next, between }: Chance,
  { atOnce, everyMs }: Pace,
  clock: () => number = Date.now,
): CallWriter {
  let begun = 0
  let ended = 0
  let stopping = false
  let unwritten = ''
  let open: readonly string[][] = []

  /** Some of the open calls go on by a few rows each. */
  const goOn = () => {
    for (const call of open.filter(() => next() < 0.5)) {
      const time = (clock() / 1_000).toFixed(6)
      for (const row of call.splice(0, between(1, 6))) {
        unwritten += `${row.replace(timeColumn, `$1"${time}"`)}\n`
      }
      if (call.length === 0) ended += 1
    }
    open = open.filter((call) => call.length > 0)
  }
  const run = async () => {
    const rows = await recordedRows()
    while (!stopping || open.length > 0) {
      const room = stopping ? 0 : atOnce - open.length
      open = [...open, ...Array.from({ length: room }, () => callOf(rows, ++begun))]
      goOn()
      const cut = open.length === 0 ? 0 : between(0, Math.min(unwritten.length, 200))
      await appendFile(file, unwritten.slice(0, unwritten.length - cut))
      unwritten = unwritten.slice(unwritten.length - cut)
      await pause(everyMs)
    }
    return begun
  }
  const running = run()
  const stop = async () => {
    stopping = true
    return await running
  }
  return {
    ended: () => ended,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}

async function recordedRows(): Promise<readonly string[]> {
  const text = await readFile(join(tracesFolder, recorded, 'cel.csv'), 'utf8')
  return text.trimEnd().split('\n')
}

/** The rows of the recording with channels that no other call has. */
function callOf(rows: readonly string[], number: number): string[] {
  const started = Math.floor(Date.now() / 1_000)
  return rows.map((row) =>
    channels.reduce((text, { id, name }, i) => {
      const channel = number * channels.length + i
      const suffix = channel.toString(16).padStart(8, '0')
      return text
        .replaceAll(`"${id}"`, `"pbx1-${started}.${channel}"`)
        .replaceAll(name, `${name.slice(0, -8)}${suffix}`)
    }, row),
  )
}
