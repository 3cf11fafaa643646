import { readFile } from 'node:fs/promises'

/** The most that the process ever had in memory, in MB (10^6 bytes), as Linux counts it. Throws where it does not run. */
export async function mostMemoryMb(pid: number | undefined): Promise<number> {
  if (pid === undefined) throw new Error('the process does not run')
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  if (kib === undefined) throw new Error('Linux does not say how much memory the process takes')
  return (Number(kib) * 1024) / 1e6
}
