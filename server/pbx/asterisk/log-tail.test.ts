import { readdirSync, readlinkSync } from 'node:fs'
import { appendFile, mkdtemp, open, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FollowedLog, followLog } from '#server/pbx/asterisk/followed-log.ts'
import {
  endOfLog,
  type LogCursor,
  type LogIncident,
  readLog,
  watchLog,
} from '#server/pbx/asterisk/log-tail.ts'

async function logFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-log-'))
  return {
    folder,
    path: join(folder, 'cel.csv'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

/** Reads all there is, as the capture does: batch after batch until nothing is left. */
async function drain(path: string, from: LogCursor | null, options: Parameters<typeof readLog>[2]) {
  return await drainBy(async (cursor) => await readLog(path, cursor, options), from)
}

async function drainBy(read: FollowedLog['read'], from: LogCursor | null) {
  const texts: string[] = []
  const incidents: LogIncident[] = []
  let cursor = from
  for (;;) {
    const batch = await read(cursor)
    texts.push(...batch.records.map((r) => r.text))
    if (batch.incident) incidents.push(batch.incident)
    cursor = batch.cursor
    if (!batch.more) return { texts, incidents, cursor }
  }
}

describe('readLog', () => {
  test('gives each record its text and the byte offset behind it', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'ä\r\nzwei\n')
    const batch = await readLog(log.path, null)
    expect(batch.records).toEqual([
      { text: 'ä', endOffset: 4 },
      { text: 'zwei', endOffset: 9 },
    ])
    const { ino } = await stat(log.path)
    expect(batch.cursor).toEqual({ inode: String(ino), offset: 9 })
  })

  test('a missing file is empty and leaves the cursor alone', async () => {
    await using log = await logFolder()
    const cursor = { inode: '12', offset: 34 }
    expect(await readLog(log.path, cursor)).toEqual({
      records: [],
      cursor,
      more: false,
      incident: null,
    })
    expect((await readLog(join(log.folder, 'absent', 'x'), null)).cursor).toBeNull()
  })

  test('a half-written row waits for its end', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'one\ntw')
    const first = await drain(log.path, null, {})
    expect(first.texts).toEqual(['one'])
    await appendFile(log.path, 'o\n')
    expect((await drain(log.path, first.cursor, {})).texts).toEqual(['two'])
  })

  test('a newline inside quotes does not end a CSV row', async () => {
    await using log = await logFolder()
    await writeFile(log.path, '"A","x\ny ""\n"" z\n","1"\n"B"\n')
    const rows = await drain(log.path, null, { quoted: true, chunkBytes: 3 })
    expect(rows.texts).toEqual(['"A","x\ny ""\n"" z\n","1"', '"B"'])
  })

  test('a row that died inside a quote takes only its successor with it', async () => {
    await using log = await logFolder()
    await writeFile(log.path, '"A","1"\n"CHAN_START","17')
    const first = await drain(log.path, null, { quoted: true })
    expect(first.texts).toEqual(['"A","1"'])
    await appendFile(log.path, '"B","2"\n"C","3"\n"D","4"\n')
    const rest = await drain(log.path, first.cursor, { quoted: true, chunkBytes: 5 })
    expect(rest.texts).toEqual(['"CHAN_START","17"B","2"', '"C","3"', '"D","4"'])
  })

  test('of a monstrous record only the beginning is given, when it is complete', async () => {
    await using log = await logFolder()
    await writeFile(log.path, `a\n"${'x'.repeat(10_000)}`)
    const options = { chunkBytes: 1000, maxRecordBytes: 4000, quoted: true }
    const first = await drain(log.path, null, options)
    expect(first.texts).toEqual(['a'])
    await appendFile(log.path, 'xx"\n"end"\n')
    const second = await drain(log.path, first.cursor, options)
    expect(second.texts).toEqual([`"${'x'.repeat(3999)}`, '"end"'])
  })

  test('finishes a rotated file, over several rotations, then reads the current one', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'a1\na2\n')
    const first = await readLog(log.path, null, { chunkBytes: 4 })
    expect(first.records.map((r) => r.text)).toEqual(['a1'])
    await rename(log.path, `${log.path}.1`)
    await writeFile(log.path, 'b1\n')
    await rename(`${log.path}.1`, `${log.path}.2`)
    await rename(log.path, `${log.path}.1`)
    await writeFile(log.path, 'c1\n')
    const rest = await drain(log.path, first.cursor, {})
    expect(rest).toMatchObject({ texts: ['a2', 'b1', 'c1'], incidents: [] })
  })

  test('stays with the renamed file while the new one is still empty', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'a1\n')
    await using writer = await open(log.path, 'a')
    const first = await drain(log.path, null, {})
    await rename(log.path, `${log.path}.1`)
    await writeFile(log.path, '')
    const second = await drain(log.path, first.cursor, {})
    await writer.appendFile('a2\n') // queue_log, before `logger reload`
    await appendFile(log.path, 'b1\n')
    const third = await drain(log.path, second.cursor, {})
    expect([...second.texts, ...third.texts]).toEqual(['a2', 'b1'])
  })

  test('the unfinished last row of a rotated file is given, as it is, once a newer file follows', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'a1\nhal')
    await rename(log.path, `${log.path}.1`)
    const { ino } = await stat(`${log.path}.1`)
    const cursor = { inode: String(ino), offset: 0 }
    expect((await drain(log.path, cursor, {})).texts).toEqual(['a1'])
    await writeFile(log.path, 'b1\n')
    expect((await drain(log.path, cursor, {})).texts).toEqual(['a1', 'hal', 'b1'])
  })

  test('says that a file was truncated, and reads it from the start', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'first\nsecond\n')
    const before = await drain(log.path, null, {})
    await truncate(log.path, 0)
    await appendFile(log.path, 'new\n')
    expect(await drain(log.path, before.cursor, {})).toMatchObject({
      texts: ['new'],
      incidents: ['truncated'],
    })
  })

  test('an inode used again is noticed by the byte before the cursor', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'a row that is long enough\n')
    const { ino } = await stat(log.path)
    const { texts, incidents } = await drain(log.path, { inode: String(ino), offset: 5 }, {})
    expect(texts).toEqual(['a row that is long enough'])
    expect(incidents).toEqual(['truncated'])
  })

  test('says that the file of the cursor is gone', async () => {
    await using log = await logFolder()
    await writeFile(log.path, 'new\n')
    expect(await drain(log.path, { inode: '1', offset: 7 }, {})).toMatchObject({
      texts: ['new'],
      incidents: ['lost'],
    })
  })
})

test('endOfLog stands behind the last complete line', async () => {
  await using log = await logFolder()
  expect(await endOfLog(log.path)).toBeNull()
  await writeFile(log.path, 'unfinished')
  expect((await endOfLog(log.path))?.offset).toBe(0)
  await writeFile(log.path, `one\n${'x'.repeat(70_000)}`)
  expect((await endOfLog(log.path))?.offset).toBe(4)
  await appendFile(log.path, '\n')
  expect((await endOfLog(log.path))?.offset).toBe(70_005)
})

describe('any history of a log', () => {
  type Step =
    | { kind: 'append'; text: string; cut: number; readHalf: boolean }
    | { kind: 'rotate'; readBetween: boolean }
    | { kind: 'read' }
    | { kind: 'truncate' }
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        text: fc.string({ unit: fc.constantFrom('a', 'é', '😀', '"', ',', '\n', ' ') }),
        cut: fc.nat(30),
        readHalf: fc.boolean(),
      }),
    },
    fc.record({ kind: fc.constant('rotate' as const), readBetween: fc.boolean() }),
    fc.constant({ kind: 'read' } as const),
    fc.constant({ kind: 'truncate' } as const),
  )

  /** Lets the history happen, reading where it says so and always before a truncation, which destroys what is unread. */
  async function live(path: string, steps: readonly Step[], reading: FollowedLog['read']) {
    const written: string[] = []
    const read: string[] = []
    let cursor: LogCursor | null = null
    const readAll = async () => {
      const got = await drainBy(reading, cursor)
      cursor = got.cursor
      read.push(...got.texts)
    }
    const act = async (step: Step, n: number) => {
      switch (step.kind) {
        case 'append': {
          const row = `"ROW ${n}","${step.text.replaceAll('"', '""')}"`
          written.push(row)
          const bytes = Buffer.from(`${row}\n`)
          await appendFile(path, bytes.subarray(0, step.cut))
          if (step.readHalf) await readAll()
          return appendFile(path, bytes.subarray(step.cut))
        }
        case 'rotate':
          await rename(path, `${path}-${20_260_000 + n}`)
          if (step.readBetween) await readAll()
          return writeFile(path, '')
        case 'truncate':
          await readAll()
          await truncate(path, 0)
          return readAll()
        case 'read':
          return readAll()
      }
    }
    await writeFile(path, '')
    await readAll() // the cursor is taken before the first rotation
    for (const [n, step] of steps.entries()) await act(step, n)
    await readAll()
    return { written, read }
  }

  test.each(['read anew each time', 'followed'])(
    'gives every record exactly once, in order, %s',
    async (how) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 30 }),
          fc.integer({ min: 1, max: 40 }),
          async (steps, chunkBytes) => {
            await using log = await logFolder()
            const options = { quoted: true, chunkBytes }
            const followed = followLog(log.path, options)
            const reading: FollowedLog['read'] =
              how === 'followed'
                ? followed.read
                : async (cursor) => await readLog(log.path, cursor, options)
            const { written, read } = await live(log.path, steps, reading)
            followed.close()
            expect(read).toEqual(written)
          },
        ),
        { numRuns: 150 },
      )
    },
  )
})

describe('followLog', () => {
  const follow = (path: string) => {
    const followed = followLog(path, { quoted: true })
    return { ...followed, [Symbol.dispose]: followed.close }
  }
  /** Which of the folder's files this process has open. */
  const openIn = (folder: string) =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`)
        return path.startsWith(folder) ? [path.slice(folder.length + 1)] : []
      } catch {
        return [] // the listing's own, closed by now
      }
    })

  test('keeps the file open while it is current, and lets go of one that was removed', async () => {
    await using log = await logFolder()
    using followed = follow(log.path)
    await writeFile(log.path, 'a1\n')
    const first = await followed.read(null)
    await appendFile(log.path, 'a2\na')
    const second = await followed.read(first.cursor)
    expect(second).toMatchObject({ records: [{ text: 'a2' }], more: false, incident: null })
    expect(openIn(log.folder)).toEqual(['cel.csv'])

    await rename(log.path, `${log.path}.1`)
    await appendFile(`${log.path}.1`, '3\n')
    await writeFile(log.path, 'b1\n')
    const rest = await drainBy(followed.read, second.cursor)
    expect(rest).toMatchObject({ texts: ['a3', 'b1'], incidents: [] })
    await rm(`${log.path}.1`)
    expect((await followed.read(rest.cursor)).records).toEqual([])
    expect(openIn(log.folder)).toEqual(['cel.csv'])
    followed.close()
    expect(openIn(log.folder)).toEqual([])
  })

  /** Each leaves another log of the same size, or about it, at the path of one that was read to its end. */
  const replacements: readonly {
    readonly how: string
    readonly replace: (path: string) => Promise<void>
    readonly texts: readonly string[]
    readonly incident: LogIncident
  }[] = [
    {
      how: 'cut and written anew, to less',
      replace: async (path) => {
        await truncate(path, 0)
        await appendFile(path, 'x\nyyyyyz')
      },
      texts: ['x'],
      incident: 'truncated',
    },
    {
      how: 'cut and written anew, to more',
      replace: async (path) => {
        await truncate(path, 0)
        await appendFile(path, 'three\nfour\nfive\n')
      },
      texts: ['three', 'four', 'five'],
      incident: 'truncated',
    },
    {
      how: 'cut and written anew, to a row across the cursor',
      replace: async (path) => await writeFile(path, 'x\nyyyyyyy\n'),
      texts: ['x', 'yyyyyyy'],
      incident: 'truncated',
    },
    {
      how: 'replaced by one of the same size, renamed into its place',
      replace: async (path) => {
        await writeFile(`${path}~`, 'six\nten\n')
        await rename(`${path}~`, path)
      },
      texts: ['six', 'ten'],
      incident: 'lost',
    },
    {
      how: 'removed, and made anew with the same size',
      replace: async (path) => {
        await rm(path)
        await writeFile(path, 'six\nten\n')
      },
      texts: ['six', 'ten'],
      incident: 'lost',
    },
  ]

  test.each(replacements)(
    'a file that was $how is read from its start, and that is said',
    async ({ replace, texts, incident }) => {
      await using log = await logFolder()
      using followed = follow(log.path)
      await writeFile(log.path, 'one\ntwo\n')
      const before = await drainBy(followed.read, null)
      await followed.read(before.cursor)
      expect(openIn(log.folder)).toEqual(['cel.csv'])
      await replace(log.path)
      expect(await drainBy(followed.read, before.cursor)).toMatchObject({
        texts,
        incidents: [incident],
      })
    },
  )

  test('what a log is on is asked once there is one, and not again', async () => {
    await using log = await logFolder()
    const asked: string[] = []
    const ext4 = async (path: string) => {
      asked.push(path)
      return 0xef53
    }
    const followed = followLog(log.path, { quoted: true }, ext4)
    using _ = { [Symbol.dispose]: followed.close }
    const absent = await drainBy(followed.read, null)
    await followed.read({ inode: '12', offset: 34 })
    expect(asked).toEqual([])
    await writeFile(log.path, 'one\n')
    const { cursor } = await drainBy(followed.read, absent.cursor)
    await followed.read(cursor)
    await followed.read(cursor)
    expect(asked).toEqual([log.path])
    expect(openIn(log.folder)).toEqual(['cel.csv'])
  })

  test('a log on a file system of the network is read in the thread pool, and never kept open', async () => {
    await using log = await logFolder()
    const nfs = async () => 0x6969
    const followed = followLog(log.path, { quoted: true }, nfs)
    await writeFile(log.path, 'one\n')
    const first = await drainBy(followed.read, null)
    await appendFile(log.path, 'two\n')
    const second = await drainBy(followed.read, first.cursor)
    expect([...first.texts, ...second.texts]).toEqual(['one', 'two'])
    await rename(log.path, `${log.path}.1`)
    await writeFile(log.path, 'three\n')
    expect(await drainBy(followed.read, second.cursor)).toMatchObject({
      texts: ['three'],
      incidents: [],
    })
    expect(openIn(log.folder)).toEqual([])
  })

  test('a file system that does not say what it is holds up its own log alone', async () => {
    await using log = await logFolder()
    const hung = Promise.withResolvers<number>()
    const followed = followLog(log.path, { quoted: true }, () => hung.promise)
    await writeFile(log.path, 'one\n')
    const reading = followed.read(null)
    // The event loop goes on: another log is read meanwhile.
    expect((await followLog(log.path).read(null)).records).toHaveLength(1)
    hung.resolve(0x6969)
    expect((await reading).records).toHaveLength(1)
  })

  test('a backlog is read as readLog does, to its end', async () => {
    await using log = await logFolder()
    using followed = follow(log.path)
    await writeFile(log.path, 'first\n')
    const { cursor } = await drainBy(followed.read, null)
    const rows = Array.from({ length: 30_000 }, (_, n) => `row ${n}`)
    await appendFile(log.path, `${rows.join('\n')}\n`)
    expect((await drainBy(followed.read, cursor)).texts).toEqual(rows)
  })
})

test('watchLog rings on an append and stops with its signal', async () => {
  await using log = await logFolder()
  const stop = new AbortController()
  const rung = new Promise<void>((resolve) => watchLog(log.path, resolve, stop.signal))
  await appendFile(log.path, 'x\n')
  await rung
  stop.abort()
  watchLog(join(log.folder, 'absent', 'x'), () => {}, new AbortController().signal)
})
