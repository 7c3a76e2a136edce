import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import type { ClientConfig, DatabaseError } from 'pg'
import { findProgram, installPostgres } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

/** A Postgres, for as long as it isn't disposed of. */
export interface PostgresServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
  /** PEM of whom its certificate is from; absent: it speaks no TLS. */
  readonly tlsCa?: string
}

interface User {
  readonly uid: number
  readonly gid: number
}

const run = promisify(execFile)
const DEBIAN_FOLDER = '/usr/lib/postgresql'
const USER = 'standpipe'
const PASSWORD = 'standpipe-test'
const INITDB_OPTIONS = '--auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync'
const STARTING_UP = '57P03'
const POLL_MS = 20

/**
 * The one at TEST_PG_URL (`postgres://user:password@host:port/database`), else one of our own by the
 * programs of this machine or, installed into .cache/, of npm. Undefined where none can be had.
 */
export async function startPostgres(): Promise<PostgresServer | undefined> {
  const external = process.env['TEST_PG_URL']
  if (external !== undefined) return externalServer(new URL(external))
  const programs = findPrograms() ?? (await installPostgres())
  return programs === undefined ? undefined : await startServer(programs)
}

function externalServer(url: URL): PostgresServer {
  return {
    host: url.hostname,
    port: Number(url.port || 5432),
    database: url.pathname.slice(1),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** The folder that has both programs. Debian keeps them, by version, out of PATH. */
function findPrograms(): string | undefined {
  const onPath = findProgram('initdb')
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER) : []
  const folders = versions
    .toSorted((left, right) => Number(right) - Number(left))
    .map((version) => join(DEBIAN_FOLDER, version, 'bin'))
  return [...(onPath === undefined ? [] : [dirname(onPath)]), ...folders].find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}

async function startServer(programs: string): Promise<PostgresServer> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'))
  const user = unprivilegedUser()
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, PASSWORD, { mode: 0o644 })
  const data = join(folder, 'data')
  await run(
    join(programs, 'initdb'),
    `--pgdata=${data} --username=${USER} --pwfile=${passwordFile} ${INITDB_OPTIONS}`.split(' '),
    { ...user, cwd: folder },
  )
  const tlsCa = await makeCertificate(data, user)
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'max_connections=50',
    `ssl=${tlsCa === undefined ? 'off' : 'on'}`,
  ].flatMap((setting) => ['-c', setting])
  const child = await startProcess(
    [join(programs, 'postgres'), '-D', data, '-p', String(port), ...settings],
    { port, folder, environment: {}, ...(user !== undefined && { user }) },
  )
  const address = { host: '127.0.0.1', port, database: 'postgres', user: USER, password: PASSWORD }
  await untilReady(address)
  return {
    ...address,
    ...(tlsCa !== undefined && { tlsCa }),
    async [Symbol.asyncDispose]() {
      // SIGTERM would wait for every connection to end by itself.
      child.kill('SIGINT')
      await stopProcess(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** It takes connections before it takes anybody in. */
async function untilReady(address: ClientConfig): Promise<void> {
  for (;;) {
    const client = new Client(address)
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if ((error as DatabaseError).code !== STARTING_UP) throw error
      await sleep(POLL_MS)
    }
  }
}

/** Where Postgres looks for them; undefined without openssl. */
async function makeCertificate(data: string, user: User | undefined): Promise<string | undefined> {
  if (findProgram('openssl') === undefined) return undefined
  const options = 'req -x509 -newkey rsa:2048 -nodes -days 2 -keyout server.key -out server.crt'
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  await run('openssl', [...options.split(' '), ...names], { ...user, cwd: data })
  return await readFile(join(data, 'server.crt'), 'utf8')
}

/** Postgres refuses to be run by root. */
function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
  const [, uid, gid] = /^(?:postgres|nobody):[^:]*:(\d+):(\d+)/m.exec(users) ?? []
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) }
}
