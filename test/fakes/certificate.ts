/** A certificate for 127.0.0.1 that is its own authority. Node can't make one; openssl can. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Certificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export async function makeCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-tls-'))
  const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const options =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', keyPath, '-out', certPath]
  await promisify(execFile)('openssl', ['req', ...options.split(' '), ...names, ...files])
  const [cert, key] = [await readFile(certPath, 'utf8'), await readFile(keyPath, 'utf8')]
  await rm(folder, { recursive: true })
  return { cert, key }
}

export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
}
