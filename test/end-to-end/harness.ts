/**
 * The real process under test: `bin/standpipe.js` in its own process group, on a free port and
 * a data directory of its own that outlives any number of starts and kills.
 */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { until } from '../servers/until.ts'
import { HttpClient } from './http-client.ts'

const BIN = fileURLToPath(new URL('../../bin/standpipe.js', import.meta.url))
const READY_MS_MAX = 30_000
const EXIT_MS_MAX = 60_000
const POLL_MS = 20
const LOG_CHARACTERS_MAX = 200_000

/** The process is one of many on a Redis, or all in one. */
export type Role = 'serve' | 'api' | 'worker'

export interface ServiceOptions {
  /** Default: serve. */
  readonly role?: Role
  /** Beside the test's own: no credentials of the machine reach the service. */
  readonly environment?: Readonly<Record<string, string>>
  /** Default: a new temporary one, removed at the end. */
  readonly dataDir?: string
}

export class Service implements AsyncDisposable {
  readonly url: string
  readonly dataDir: string
  readonly role: Role
  readonly #environment: Record<string, string>
  readonly #ownsDataDir: boolean
  #child: ChildProcess | undefined
  #log = ''

  private constructor(url: string, dataDir: string, options: ServiceOptions) {
    this.url = url
    this.dataDir = dataDir
    this.role = options.role ?? 'serve'
    this.#ownsDataDir = options.dataDir === undefined
    this.#environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: dataDir,
      STANDPIPE_LISTEN: new URL(url).host,
      STANDPIPE_DATA_DIR: dataDir,
      STANDPIPE_LOG_FORMAT: 'json',
      ...options.environment,
    }
  }

  /** Not started yet. */
  static async create(options: ServiceOptions = {}): Promise<Service> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'standpipe-test-')))
    return new Service(`http://127.0.0.1:${await freePort()}`, dataDir, options)
  }

  static async start(options: ServiceOptions = {}): Promise<Service> {
    const service = await Service.create(options)
    await service.start()
    return service
  }

  /** What the service wrote to stdout and stderr in all its lives, the latest of it. */
  get log(): string {
    return this.#log
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Whether it was started, and has not ended by itself. */
  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null
  }

  /** Starts the process without waiting for it. */
  spawn(): void {
    if (this.#child !== undefined) throw new Error('Cannot start: the service runs')
    const child = spawn(process.execPath, [BIN, this.role], {
      detached: true,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    groups.add(child)
    child.once('exit', () => groups.delete(child))
    const keep = (text: Buffer): void => {
      this.#log = (this.#log + text.toString('utf8')).slice(-LOG_CHARACTERS_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
  }

  /** Starts the process and waits until it is ready. */
  async start(): Promise<void> {
    this.spawn()
    await this.ready()
  }

  /** Waits until the health check answers 200: ready, or just live when there is no room. */
  async ready(health: 'ready' | 'live' = 'ready'): Promise<void> {
    const deadlineMs = performance.now() + READY_MS_MAX
    while (performance.now() < deadlineMs) {
      const exitCode = this.#child?.exitCode
      if (typeof exitCode === 'number') throw this.failure(`it ended with exit code ${exitCode}`)
      const answer = await fetch(`${this.url}/health/${health}`).catch(() => undefined)
      await answer?.arrayBuffer()
      if (answer?.status === 200) return
      await sleep(POLL_MS)
    }
    throw this.failure(`it was not ${health} within ${READY_MS_MAX} ms`)
  }

  /** `kill -9` of the process group: nothing gets to say goodbye. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGSTOP: the process stands still and doesn't know, until it is resumed. */
  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** SIGTERM; resolves with the exit code, or the signal if it took one. */
  terminate(): Promise<number | string> {
    return this.#end('SIGTERM')
  }

  /** An error that carries the end of the service's log. */
  failure(message: string): Error {
    return new Error(`Cannot use the service: ${message}\n${this.#log.slice(-4_000)}`)
  }

  client(): HttpClient {
    return new HttpClient(this.url)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.kill()
    if (this.#ownsDataDir) await rm(this.dataDir, { recursive: true, force: true })
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.pid === undefined) throw new Error(`Cannot send ${signal}: the service does not run`)
    process.kill(-this.pid, signal)
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | string> {
    const child = this.#child
    if (child?.pid === undefined) throw new Error('Cannot stop: the service does not run')
    this.#child = undefined
    if (child.exitCode !== null) return child.exitCode
    const closed = once(child, 'close', { signal: AbortSignal.timeout(EXIT_MS_MAX) })
    process.kill(-child.pid, signal)
    await closed.catch(() => {
      throw this.failure(`it did not end within ${EXIT_MS_MAX} ms of ${signal}`)
    })
    return child.exitCode ?? child.signalCode ?? 'unknown'
  }
}

/** Groups that run; none outlives the test process. */
const groups = new Set<ChildProcess>()
process.once('exit', () => {
  for (const { pid } of groups) if (pid !== undefined) process.kill(-pid, 'SIGKILL')
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => void server.close(() => resolve()))
  return port
}

/** Runs `standpipe …` to its end; rejects when it fails. */
export async function command(
  parameters: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  await promisify(execFile)(process.execPath, [BIN, ...parameters], { env })
}

/** Repeats `look`, which may cost the service something, until it gives something; see `until`. */
export function eventually<Found>(
  what: string,
  withinMs: number,
  look: () => Promise<Found | undefined>,
): Promise<Found> {
  return until(what, withinMs, look, 5 * POLL_MS)
}
