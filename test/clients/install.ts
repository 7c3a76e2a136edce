import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Connection } from './firehose-caller.ts'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url))

/**
 * A Python package in a virtual environment of its own under .cache/, made at the first call.
 * Resolves with its `bin` folder, or undefined when this machine can't (no Python, no network).
 */
export async function pythonPackage(name: string, version: string): Promise<string | undefined> {
  const folder = `${CACHE}python/${name}-${version}`
  const bin = `${folder}/bin`
  // A virtual environment can't be moved into place when it is complete, hence a marker.
  const marker = `${folder}/complete`
  if (existsSync(marker)) return bin
  try {
    await mkdir(folder, { recursive: true })
    await run('python3', ['-m', 'venv', '--clear', folder])
    await run(`${bin}/pip`, ['install', '--quiet', `${name}==${version}`])
    await writeFile(marker, '')
    return bin
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    console.warn(`Cannot install ${name} ${version}: ${String(error)}`)
    return undefined
  }
}

/**
 * A client program built from `test/clients/<name>` into .cache/clients/<name>, or from another folder
 * of test/ by its path from there. The compiler is asked each time: it knows best what has changed.
 * Undefined when this machine can't build it.
 */
export async function built(
  name: string,
  commands: (output: string) => readonly (readonly [string, ...string[]])[],
): Promise<string | undefined> {
  const cwd = fileURLToPath(new URL(name, import.meta.url))
  const output = `${CACHE}clients/${name}`
  try {
    await mkdir(output, { recursive: true })
    for (const [program, ...parameters] of commands(output)) await run(program, parameters, { cwd })
    return output
  } catch (error) {
    console.warn(`Cannot build the ${name} client: ${String(error)}`)
    return undefined
  }
}

/** The environment of an AWS client: nothing of this machine's own configuration. */
export function awsEnvironment(connection: Connection): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    AWS_ENDPOINT_URL_FIREHOSE: connection.url,
    AWS_ENDPOINT_URL: connection.url,
    AWS_ACCESS_KEY_ID: connection.accessKeyId,
    AWS_SECRET_ACCESS_KEY: connection.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
