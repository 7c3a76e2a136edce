import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { findProgram } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

/** A server that speaks MongoDB's protocol, for as long as it isn't disposed of. */
export interface MongoServer extends AsyncDisposable {
  readonly port: number
  /** To look at what is there; closed with the server. */
  readonly client: MongoClient
}

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('ferretdb', import.meta.url))
const CACHE = fileURLToPath(new URL('../../.cache/bin/', import.meta.url))

/**
 * The one at TEST_MONGODB_URL (one server, no users), else mongod from PATH, else FerretDB over SQLite
 * from the Go module proxy, built into .cache/ by whoever needs it first, for minutes. Undefined where
 * none can be had.
 */
export async function startMongoServer(): Promise<MongoServer | undefined> {
  const external = process.env['TEST_MONGODB_URL']
  if (external !== undefined) {
    return serverOf(Number(new URL(external).port || 27_017), () => Promise.resolve())
  }
  const mongod = findProgram('mongod')
  if (mongod !== undefined) {
    return await start((port, folder) => [mongod, '--port', String(port), '--dbpath', folder])
  }
  const ferretdb = await buildFerretDB()
  if (ferretdb === undefined) return undefined
  return await start((port, folder) => [ferretdb, `127.0.0.1:${port}`, folder])
}

async function start(
  commandOf: (port: number, folder: string) => [string, ...string[]],
): Promise<MongoServer> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'mongodb-'))
  const child = await startProcess(commandOf(port, folder), { port, folder, environment: {} })
  return serverOf(port, async () => {
    await stopProcess(child)
    await rm(folder, { recursive: true, force: true })
  })
}

function serverOf(port: number, stop: () => Promise<void>): MongoServer {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`)
  return {
    port,
    client,
    async [Symbol.asyncDispose]() {
      await client.close()
      await stop()
    },
  }
}

/** The compiler is asked each time: it knows best what has changed. */
async function buildFerretDB(): Promise<string | undefined> {
  if (findProgram('go') === undefined) return undefined
  const program = `${CACHE}ferretdb`
  try {
    await mkdir(CACHE, { recursive: true })
    await run('go', ['build', '-o', program, '.'], { cwd: SOURCE })
    return program
  } catch (error) {
    console.warn(`Cannot build FerretDB: ${String(error)}`)
    return undefined
  }
}
