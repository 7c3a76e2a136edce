import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const ACCESS_KEY = 'AKIDBENCH:bench-secret'

export type Role = 'serve' | 'api' | 'worker'

/** Standpipe as a user runs it, in a process of its own, with a data directory of its own. */
export class ServiceUnderTest {
  readonly port: number
  readonly dataDir: string
  readonly #environment: Record<string, string>
  readonly #role: Role
  #child: ChildProcess | undefined

  private constructor(
    port: number,
    dataDir: string,
    environment: Record<string, string>,
    role: Role,
  ) {
    this.port = port
    this.dataDir = dataDir
    this.#environment = environment
    this.#role = role
  }

  static async create(
    environment: Record<string, string> = {},
    role: Role = 'serve',
  ): Promise<ServiceUnderTest> {
    const dataDir = await mkdtemp(join(tmpdir(), 'standpipe-bench-'))
    return new ServiceUnderTest(await freePort(), dataDir, environment, role)
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts the process; how long it took to be ready, in seconds. */
  async start(): Promise<number> {
    const started = performance.now()
    const bin = new URL('../bin/standpipe.js', import.meta.url).pathname
    this.#child = spawn(process.execPath, [bin, this.#role], {
      env: {
        PATH: process.env['PATH'] ?? '',
        STANDPIPE_LISTEN: `127.0.0.1:${this.port}`,
        STANDPIPE_DATA_DIR: this.dataDir,
        STANDPIPE_LOG_LEVEL: 'error',
        ...this.#environment,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    while (!(await this.#isReady())) {
      if (this.#child.exitCode !== null) throw new Error('Cannot measure: the service ended')
      await sleep(5)
    }
    return (performance.now() - started) / 1_000
  }

  async kill(): Promise<void> {
    if (this.#child === undefined) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
    this.#child = undefined
  }

  async remove(): Promise<void> {
    await this.kill()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  async #isReady(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/health/ready`).catch(() => undefined)
    return answer?.ok === true
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
