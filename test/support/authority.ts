/** An authority of the test's own, which issues certificates for real TLS servers and clients. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Issued {
  /** PEM. */
  readonly certificate: string
  readonly privateKey: string
}

export interface Authority extends AsyncDisposable {
  /** PEM: who trusts it, trusts what it issued. */
  readonly certificate: string
  /** Names and addresses as OpenSSL writes them: `DNS:localhost`, `IP:::1`. */
  readonly issue: (name: string, subjects: readonly string[]) => Promise<Issued>
}

const run = promisify(execFile)
const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export async function makeAuthority(name = 'Test authority'): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-authority-'))
  const path = (file: string) => join(folder, file)
  const own = ['-keyout', path('ca.key'), '-out', path('ca.pem'), '-subj', `/CN=${name}`]
  await run('openssl', ['req', '-x509', ...ecKey, ...own, '-days', '2'])
  let issued = 0
  return {
    certificate: await readFile(path('ca.pem'), 'utf8'),
    async issue(subject, subjects) {
      issued += 1
      const [key, request, certificate, extensions] = ['key', 'csr', 'pem', 'ext'].map((end) =>
        path(`${issued}.${end}`),
      ) as [string, string, string, string]
      const wanted = ['-keyout', key, '-out', request, '-subj', `/CN=${subject}`]
      await run('openssl', ['req', '-new', ...ecKey, ...wanted])
      await writeFile(extensions, `subjectAltName=${subjects.join(',')}\n`)
      const by = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '2']
      const files = ['-in', request, '-out', certificate, '-extfile', extensions]
      await run('openssl', ['x509', '-req', ...files, ...by])
      return {
        certificate: await readFile(certificate, 'utf8'),
        privateKey: await readFile(key, 'utf8'),
      }
    },
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  }
}
