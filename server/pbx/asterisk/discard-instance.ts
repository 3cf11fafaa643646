/**
 * A managed PBX whose service was deleted goes with all that it kept: configuration, voicemail, recordings, records.
 * The mark is made before the service is deleted, so that a crash on the way leaves what the next start removes; and
 * nothing but the deletion of its service can ever make a folder go.
 */
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { adopt, findRunning, stopProcess } from '#server/pbx/asterisk/process.ts'

const mark = 'deleted'
const suffix = '.deleted'

/** Says that the folder is to go once its service is deleted. */
export async function condemnInstance(path: string): Promise<void> {
  // Where no mark can be made (there is no folder, the disk is full), only a crash from here on leaves something.
  await writeFile(join(path, mark), '').catch(() => undefined)
}

/** Waits for `stopped`, ends an Asterisk that runs in the folder all the same, and removes it. */
export async function discardInstance(path: string, stopped: Promise<void>): Promise<void> {
  await stopped
  if (await isThere(path)) await remove(path)
}

/**
 * Finishes what was cut off. `folder` holds the folders of the managed PBXs, named as their services; a mark of one
 * that is among the `living` was made for a deletion that did not come to be.
 */
export async function finishDiscards(folder: string, living: ReadonlySet<string>): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    const path = join(folder, name)
    if (living.has(name)) await rm(join(path, mark), { force: true })
    else if (name.endsWith(suffix)) await rm(path, { recursive: true, force: true })
    else if (await isThere(join(path, mark))) await remove(path)
  }
}

async function remove(path: string): Promise<void> {
  const folder = instanceFolder(path)
  const pid = await findRunning(folder)
  if (pid !== null) await stopProcess(adopt(pid, folder))
  // Removing takes time, and may come to the mark first.
  await rename(path, `${path}${suffix}`)
  await rm(`${path}${suffix}`, { recursive: true, force: true })
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false
      throw error
    },
  )
}
