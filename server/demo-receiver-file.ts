/**
 * How the server knows the receiver of `offhook demo`: it listens on this machine, where requests do not go unless an
 * administrator says so. The demo writes its port into the data folder, which only the folder's owner can, and while
 * it lives that one port is reachable. Nothing else on this machine is, so a newcomer needs no setting for the demo,
 * and a server that once ran it is as closed as any.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { AlsoAllowed } from '#server/outbound/guard.ts'

/** The only address that the demo listens on. */
export const demoReceiverHost = '127.0.0.1'

const Announcement = z.object({ port: z.int(), pid: z.int() })

export const demoReceiverUrl = (port: number): string => `http://${demoReceiverHost}:${port}/`

const fileOf = (dataFolder: string) => join(dataFolder, 'demo', 'receiver.json')

/** Makes the port reachable for the server of this data folder, until it is disposed of or this process ends. */
export async function announceDemoReceiver(
  dataFolder: string,
  port: number,
): Promise<AsyncDisposable> {
  const path = fileOf(dataFolder)
  await mkdir(join(dataFolder, 'demo'), { recursive: true, mode: 0o700 })
  await writeFile(path, `${JSON.stringify({ port, pid: process.pid })}\n`, { mode: 0o600 })
  return { [Symbol.asyncDispose]: async () => await rm(path, { force: true }) }
}

export interface AnnouncedDemo {
  readonly port: number
  readonly pid: number
  /** False: it was killed and left its announcement. */
  readonly lives: boolean
}

/** Null: no demo runs, nor was one killed. */
export async function announcedDemo(dataFolder: string): Promise<AnnouncedDemo | null> {
  const text = await readFile(fileOf(dataFolder), 'utf8').catch(() => null)
  if (text === null) return null
  const announced = Announcement.safeParse(jsonOf(text))
  return announced.success ? { ...announced.data, lives: lives(announced.data.pid) } : null
}

/** Asked only about what the policy forbids, so the file is read for that alone. */
export function demoReceiverAllowed(dataFolder: string): AlsoAllowed {
  return async (address, port) => {
    if (address !== demoReceiverHost) return false
    const announced = await announcedDemo(dataFolder)
    return announced !== null && announced.port === port && announced.lives
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Being written.
    return null
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
