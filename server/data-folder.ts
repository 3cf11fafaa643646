import { randomUUID } from 'node:crypto'
import { chmod, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '#server/make-folder.ts'
import { StartError } from '#server/start-error.ts'

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system is read-only',
  ENOENT: 'its file system takes no folders',
  ENOSPC: 'the disk is full',
  EDQUOT: 'your quota is used up',
  ENOTDIR: 'a file stands in its way',
  EEXIST: 'a file stands in its way',
}

/**
 * Makes the data folder where it is missing, for its owner alone, and proves that it can be written to. Throws
 * StartError `data_folder_unwritable`.
 */
export async function openDataFolder(folder: string): Promise<void> {
  const probe = join(folder, `.write-test-${process.pid}`)
  try {
    makeFolder(folder)
    await writeFile(probe, 'x')
    await rm(probe)
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined)
    const { code = '' } = error as NodeJS.ErrnoException
    throw new StartError(
      'data_folder_unwritable',
      `The data folder ${folder} cannot be written to: ${reasons[code] ?? code}. OFFHOOK_DATA chooses another.`,
      { cause: error },
    )
  }
}

/** Tells this data folder from every other: text in a file, made once. */
export async function homeOf(folder: string): Promise<string> {
  const path = join(folder, 'node-id')
  try {
    await writeFile(path, `${randomUUID()}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return (await readFile(path, 'utf8')).trim()
}

/**
 * Keeps other processes out of the data folder, until the lock is released or the process ends, however it ends. Throws
 * StartError `data_folder_in_use`.
 */
export function lockDataFolder(folder: string): Disposable {
  // A lock of the kernel, which Node has no other way to. The file stays empty.
  const lock = new DatabaseSync(join(folder, 'offhook.lock'), { timeout: 0 })
  try {
    lock.exec('begin exclusive')
  } catch (cause) {
    lock.close()
    const says = `Another Offhook is running in the data folder ${folder}; stop it, or choose another with OFFHOOK_DATA.`
    throw new StartError('data_folder_in_use', says, { cause })
  }
  return { [Symbol.dispose]: () => lock.close() }
}

/** The first API key, kept for the command line of the folder's owner: a file of one line, mode 0600. */
const keyFileOf = (folder: string) => join(folder, 'api-key')

/** The path of the key file, and the key in it; null where the file is not there, or not any more. */
export async function readKeyFile(
  folder: string,
): Promise<{ readonly path: string; readonly key: string | null }> {
  const path = keyFileOf(folder)
  const text = await readFile(path, 'utf8').catch(() => '')
  return { path, key: text.trim() === '' ? null : text.trim() }
}

/** Keeps the first API key, readable by its owner alone. Returns the path. */
export async function writeKeyFile(folder: string, key: string): Promise<string> {
  const path = keyFileOf(folder)
  await using file = await open(path, 'w', 0o600)
  // The mode of `open` does not apply to a file that is there already.
  await chmod(path, 0o600)
  await file.writeFile(`${key}\n`)
  await file.sync()
  return path
}
