import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StoreError } from '#server/store/store-error.ts'

/**
 * Keeps secrets encrypted at rest: AES-256-GCM with a key that is not in the database, so that a copy of the database
 * alone (a backup, a support bundle) shows none of them.
 */
export interface SecretBox {
  /** `about` says whose secret it is and is bound into the result: moved to another row it does not open. */
  readonly seal: (plain: string, about: string) => string
  /** Throws StoreError `secret_key_wrong` when the key, the text or `about` is not that of `seal`. */
  readonly open: (sealed: string, about: string) => string
  /** A key of 32 bytes for one purpose, made of the same secret; it tells nothing of the others. */
  readonly keyFor: (purpose: string) => Buffer
}

const cipher = 'aes-256-gcm'
const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
/** Tells the form, so that a later one can be told from it. */
const form = 'v1.'

export function secretBox(key: Buffer): SecretBox {
  return {
    seal(plain, about) {
      const iv = randomBytes(ivBytes)
      const sealing = createCipheriv(cipher, key, iv).setAAD(Buffer.from(about))
      const text = Buffer.concat([sealing.update(plain, 'utf8'), sealing.final()])
      return form + Buffer.concat([iv, sealing.getAuthTag(), text]).toString('base64url')
    },
    keyFor: (purpose) => Buffer.from(hkdfSync('sha256', key, '', purpose, keyBytes)),
    open(sealed, about) {
      try {
        if (!sealed.startsWith(form)) throw new Error('not a sealed secret')
        const bytes = Buffer.from(sealed.slice(form.length), 'base64url')
        const opening = createDecipheriv(cipher, key, bytes.subarray(0, ivBytes))
          .setAAD(Buffer.from(about))
          .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
        const text = bytes.subarray(ivBytes + tagBytes)
        return Buffer.concat([opening.update(text), opening.final()]).toString('utf8')
      } catch (cause) {
        throw new StoreError('secret_key_wrong', `The secret of ${about} cannot be decrypted.`, {
          cause,
        })
      }
    },
  }
}

/** The key in the file; makes the file (mode 0600) when there is none. */
export async function readOrMakeKey(path: string): Promise<Buffer> {
  const known = await readKey(path)
  if (known !== null) return known
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const key = randomBytes(keyBytes)
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(key)
    // On disk before anything is sealed with it: a secret without its key is lost.
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    // Unlike a rename, a link never replaces the key that another process made meanwhile.
    await link(draft, path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  return (await readKey(path)) ?? key
}

async function readKey(path: string): Promise<Buffer | null> {
  let key: Buffer
  try {
    key = await readFile(path)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
  if (key.length !== keyBytes) {
    throw new StoreError(
      'secret_key_wrong',
      `The key file ${path} has ${key.length} bytes instead of ${keyBytes}; restore it from a backup.`,
    )
  }
  return key
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
