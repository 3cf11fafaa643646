/** A demo PBX, and its world if wanted, on free ports and in a temporary folder, gone when the test is over. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { PbxDocument } from '#contracts/pbx.ts'
import { parseMark } from '#server/domain/calls/marks.ts'
import type { CelRow } from '#server/domain/calls/rows.ts'
import { type AsteriskPbxOptions, openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'
import { parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { demoPbxDocument } from '#server/pbx/asterisk/demo-pbx.ts'
import { addressesOf, type DemoWorld, openDemoWorld } from '#server/pbx/asterisk/demo-world.ts'
import { findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { readLog } from '#server/pbx/asterisk/log-tail.ts'
import type { ManagedPbx } from '#server/pbx/pbx.ts'
import { freeTcpPort, freeUdpPort } from '#test/support/free-port.ts'
import { waitUntil } from '#test/support/wait-until.ts'

export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'offhook-pbx-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Options of a demo PBX in `folder`, and of its world; nothing is started. */
export async function demoSettings(
  folder: string,
  change: (d: PbxDocument) => PbxDocument = (d) => d,
) {
  const asterisk = await findAsterisk({ root: inject('asteriskRoot') })
  const sip = { host: '127.0.0.1', port: await freeUdpPort() }
  const log: string[] = []
  const note = (_facts: object, message: string) => void log.push(message)
  // RTP takes pairs of ports from a range; the range of each PBX stands above a free port of its own.
  const rtp = async () => {
    const first = 30_000 + ((await freeUdpPort()) % 300) * 100
    return { first, last: first + 98 }
  }
  const world = {
    folder: join(folder, 'world'),
    asterisk,
    pbxPort: sip.port,
    carrierPort: await freeUdpPort(),
    phonesPort: await freeUdpPort(),
    amiPort: await freeTcpPort(),
    rtp: await rtp(),
    registeringSecret: 'a-secret-of-204',
  }
  const pbx: AsteriskPbxOptions = {
    folder: join(folder, 'pbx'),
    asterisk,
    document: change(demoPbxDocument(addressesOf(world))),
    sip,
    amiPort: await freeTcpPort(),
    rtp: await rtp(),
    log: { info: note, warn: note },
  }
  return { pbx, world, log }
}

export interface Demo extends AsyncDisposable {
  readonly pbx: ManagedPbx
  readonly world: DemoWorld
  readonly folder: string
  readonly settings: Awaited<ReturnType<typeof demoSettings>>
}

export async function openDemo(change?: (d: PbxDocument) => PbxDocument): Promise<Demo> {
  await using cleanUp = new AsyncDisposableStack()
  const folder = cleanUp.use(await temporaryFolder())
  const settings = await demoSettings(folder.path, change)
  const pbx = await openAsteriskPbx(settings.pbx)
  cleanUp.defer(() => pbx.close())
  const world = await openDemoWorld(settings.world)
  cleanUp.defer(() => world.close())
  const kept = cleanUp.move()
  return {
    pbx,
    world,
    folder: folder.path,
    settings,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Every row of the record so far; a row that does not parse fails the test. */
export async function rows(folder: string): Promise<CelRow[]> {
  const { celFile } = instanceFolder(join(folder, 'pbx'))
  const { records } = await readLog(celFile, null, { quoted: true })
  return records.map(({ text }) => {
    const parsed = parseCelRow(text)
    if ('problem' in parsed) throw new Error(`${parsed.problem}: ${text}`)
    return parsed.row
  })
}

export interface Mark {
  readonly name: string
  readonly fields: Readonly<Record<string, string>>
  readonly row: CelRow
}

export async function marks(folder: string): Promise<Mark[]> {
  const all = await rows(folder)
  return all
    .filter((row) => row.mark !== '')
    .map((row) => ({ name: row.mark, fields: parseMark(String(row.extra.extra ?? '')), row }))
}

/** Waits for a mark of this name in the record, and gives the last one. */
export const markOf = (folder: string, name: string): Promise<Mark> =>
  waitUntil(async () => (await marks(folder)).findLast((m) => m.name === name), {
    what: `the record has ${name}`,
    timeoutMs: 20_000,
  })

/** Waits until the record has a row of this type. */
export const rowOf = (folder: string, type: string): Promise<CelRow> =>
  waitUntil(async () => (await rows(folder)).findLast((r) => r.type === type), {
    what: `the record has ${type}`,
    timeoutMs: 20_000,
  })

/** Waits until all calls are over and their last rows are written. */
export async function quiet({ folder, pbx, world }: Demo): Promise<void> {
  await waitUntil(async () => (await world.countChannels()) === 0, {
    what: 'the test calls are over',
    timeoutMs: 40_000,
  })
  await waitUntil(async () => (await pbx.listChannels()).size === 0, { what: 'the PBX is idle' })
  await waitUntil(
    async () => {
      const all = await rows(folder)
      const ended = new Set(all.filter((r) => r.type === 'LINKEDID_END').map((r) => r.linkedId))
      return all.every((r) => ended.has(r.linkedId))
    },
    { what: 'the record has the end of every call' },
  )
}

export const messagesOf = (folder: string): Promise<string> =>
  readFile(join(folder, 'pbx', 'log', 'messages'), 'utf8')
