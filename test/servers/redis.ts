import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { findProgram, installValkey } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'
import { until } from './until.ts'

export interface RedisOptions {
  /** What an append must have reached before it is answered; default: there is no such file. */
  readonly appendonly?: 'always' | 'everysec' | 'no'
  /** E.g. `64mb`; default: no limit. */
  readonly maxmemory?: string
  /** Any other lines of redis.conf. */
  readonly config?: Readonly<Record<string, string>>
  /** Default: whichever is there. */
  readonly program?: 'redis' | 'valkey'
  readonly port?: number
  /** Where its files are, which outlive it; default: a temporary one, removed with the server. */
  readonly folder?: string
}

/** A Redis or Valkey, for as long as it isn't disposed of. Servers outlive any number of kills. */
export interface RedisServer extends AsyncDisposable {
  /** `redis://…`, to which a service adds a prefix of its own. */
  readonly url: string
  readonly port: number
  /** Undefined while it doesn't run. */
  readonly pid: number | undefined
  /** Any command, over a connection of its own. */
  call(command: string, ...parameters: (string | number)[]): Promise<unknown>
  /** A field of INFO, e.g. `used_memory`. */
  info(field: string): Promise<string | undefined>
  /** SIGKILL: nothing gets to say goodbye. */
  kill(): Promise<void>
  /** Starts what was killed (or kills and starts) on the same folder; resolves when it has loaded. */
  restart(): Promise<void>
}

const LOADED_MS_MAX = 30_000

/**
 * The one at TEST_REDIS_URL where nothing is asked of it, else one of our own: redis-server or
 * valkey-server from PATH, or Valkey installed into .cache/. Undefined where none can be had.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer | undefined> {
  const external = process.env['TEST_REDIS_URL']
  if (external !== undefined && Object.keys(options).length === 0)
    return new ExternalRedis(external)
  const program = await findRedis(options.program)
  return program === undefined ? undefined : await OwnRedis.start(program, options)
}

/** The path of a server's program; undefined where none can be had. */
export async function findRedis(which?: 'redis' | 'valkey'): Promise<string | undefined> {
  const redis = which === 'valkey' ? undefined : findProgram('redis-server')
  if (redis !== undefined || which === 'redis') return redis
  return findProgram('valkey-server') ?? (await installValkey())
}

/** What can be asked of any. */
class RedisAt {
  readonly url: string
  readonly port: number

  constructor(url: string) {
    this.url = url
    this.port = Number(new URL(url).port || 6379)
  }

  async call(command: string, ...parameters: (string | number)[]): Promise<unknown> {
    const client = new Redis(this.url, {
      lazyConnect: true,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      retryStrategy: () => null,
    })
    // What goes wrong is what the call rejects with.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return await client.call(command, ...parameters)
    } finally {
      client.disconnect()
    }
  }

  async info(field: string): Promise<string | undefined> {
    const text = String(await this.call('INFO'))
    return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(text)?.[1]
  }
}

class ExternalRedis extends RedisAt implements RedisServer {
  readonly pid = undefined

  kill(): Promise<void> {
    return Promise.reject(new Error('Cannot kill Redis: it is not ours'))
  }

  restart(): Promise<void> {
    return this.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

/** Also a sentinel: that is the same program in another mode. */
export class OwnRedis extends RedisAt implements RedisServer {
  readonly #folder: string
  readonly #ownsFolder: boolean
  readonly #command: readonly [string, ...string[]]
  #child: ChildProcess | undefined

  private constructor(
    command: readonly [string, ...string[]],
    port: number,
    folder: string,
    options: RedisOptions,
  ) {
    const password = options.config?.['requirepass']
    super(`redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`)
    this.#folder = folder
    this.#ownsFolder = options.folder === undefined
    this.#command = command
  }

  static async start(program: string, options: RedisOptions = {}): Promise<OwnRedis> {
    return await OwnRedis.#start([program], configuration(options), options)
  }

  static async startSentinel(program: string, lines: readonly string[]): Promise<OwnRedis> {
    return await OwnRedis.#start([program, '--sentinel'], lines, {})
  }

  /** A file, not parameters: what a sentinel or CONFIG REWRITE writes there holds after a restart. */
  static async #start(
    [program, ...mode]: readonly [string, ...string[]],
    lines: readonly string[],
    options: RedisOptions,
  ): Promise<OwnRedis> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'redis-')))
    const port = options.port ?? (await freePort())
    const file = join(folder, 'redis.conf')
    const place = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, 'daemonize no']
    await writeFile(file, [...place, ...lines, ''].join('\n'))
    const server = new OwnRedis([program, file, ...mode], port, folder, options)
    await server.restart()
    return server
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async restart(): Promise<void> {
    await this.kill()
    this.#child = await startProcess(this.#command, {
      port: this.port,
      folder: this.#folder,
      environment: {},
    })
    await this.#untilLoaded()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await stopProcess(this.#child)
    if (this.#ownsFolder) await rm(this.#folder, { recursive: true, force: true })
  }

  /** It takes connections before it has read its files. */
  async #untilLoaded(): Promise<void> {
    await until('Redis has loaded', LOADED_MS_MAX, async () => {
      try {
        await this.call('PING')
        return true
      } catch (error) {
        if ((error as Error).message.startsWith('LOADING')) return undefined
        throw error
      }
    })
  }
}

function configuration({ appendonly = 'no', maxmemory, config = {} }: RedisOptions): string[] {
  return [
    'save ""',
    // Else a replica waits 5 seconds for others that might want the same copy.
    'repl-diskless-sync-delay 0',
    ...(appendonly === 'no' ? ['appendonly no'] : ['appendonly yes', `appendfsync ${appendonly}`]),
    ...(maxmemory === undefined ? [] : [`maxmemory ${maxmemory}`]),
    ...Object.entries(config).map(([name, value]) => `${name} ${value === '' ? '""' : value}`),
  ]
}
