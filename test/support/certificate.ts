import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Certificate extends AsyncDisposable {
  readonly key: string
  readonly cert: string
  /** File of `cert`, for those who are to trust it. */
  readonly certFile: string
}

/** A certificate for `localhost` that nobody but its own file vouches for. */
export async function makeCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-tls-'))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const files = ['-keyout', keyFile, '-out', certFile, '-days', '1']
  await promisify(execFile)('openssl', ['req', ...kind, ...files, ...subject])
  return {
    key: await readFile(keyFile, 'utf8'),
    cert: await readFile(certFile, 'utf8'),
    certFile,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
