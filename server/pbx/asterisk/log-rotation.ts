import { rename, rm, stat } from 'node:fs/promises'
import { isOlder, type LogCursor, rotatedFiles } from '#server/pbx/asterisk/log-tail.ts'

export interface RotationRules {
  /** A file that has grown beyond this is renamed. */
  readonly maxBytes: number
  /** Renamed files that have been read are kept this long, for people who look into the past. */
  readonly keepMs: number
}

/**
 * Renames the CEL file of a managed PBX when it has grown, and removes old ones. Asterisk opens the file anew for each
 * row, so a rename loses none. What `cursor` has not passed yet is never removed, however old.
 */
export async function rotateLog(
  path: string,
  cursor: LogCursor,
  rules: RotationRules,
  now: number,
): Promise<void> {
  const current = await stat(path).catch(() => null)
  if (current !== null && current.size > rules.maxBytes) {
    const stamp = new Date(now).toISOString().replace(/\D/g, '').slice(0, 14)
    await rename(path, `${path}.${stamp}`)
  }
  const files = await rotatedFiles(path)
  const reading = files.find((file) => file.inode === cursor.inode)
  for (const file of files) {
    const read = reading === undefined || isOlder(file, reading)
    const age = now - Number(file.changed / 1_000_000n)
    if (read && file.inode !== cursor.inode && age > rules.keepMs)
      await rm(file.path, { force: true })
  }
}
