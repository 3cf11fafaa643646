/** A disk of a few megabytes, in a mount namespace of its own, which needs no root where the kernel lets users have one. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cwd } from 'node:process'
import { waitUntilOrEnd } from '#test/support/wait-until.ts'

export interface SmallDisk extends AsyncDisposable {
  /** Where processes that `enter` begins see it. */
  readonly inside: string
  /** Where this process sees it. */
  readonly outside: string
  /** What a command begins with, to see it. */
  readonly enter: readonly string[]
  /** Leaves not a byte. */
  readonly fill: () => Promise<void>
  readonly empty: () => Promise<void>
}

/** Null where it can be had; else why not. */
export function whyNoSmallDisk(): string | null {
  try {
    execFileSync('unshare', ['-Urm', 'true'], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `this machine allows no mount namespaces (${error instanceof Error ? error.message : error})`
  }
}

export async function startSmallDisk(megabytes: number): Promise<SmallDisk> {
  const inside = await mkdtemp(join(tmpdir(), 'offhook-disk-'))
  const mount = `mount -t tmpfs -o size=${megabytes}m,mode=700 tmpfs "$0" && echo mounted && exec sleep infinity`
  const keeper = spawn('unshare', ['-Urm', 'sh', '-c', mount, inside], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = once(keeper.stdout, 'data')
  await waitUntilOrEnd(async () => await said, once(keeper, 'exit'), { what: 'it is mounted' })
  const outside = join(`/proc/${keeper.pid}/root`, inside)
  const filler = join(outside, 'filler')
  return {
    inside,
    outside,
    enter: [
      'nsenter',
      '-t',
      `${keeper.pid}`,
      '-U',
      '-m',
      '--preserve-credentials',
      `--wd=${cwd()}`,
    ],
    fill: async () => await fill(filler),
    empty: async () => await rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      await end(keeper)
      await rm(inside, { recursive: true, force: true })
    },
  }
}

async function fill(path: string): Promise<void> {
  await using file = await open(path, 'w')
  for (let size = 1 << 20; size > 0; ) {
    try {
      await file.write(Buffer.alloc(size, 'x'))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      size >>= 1
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
