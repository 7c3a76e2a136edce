import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { BatchIds } from '../../src/batch.ts'
import { loadSettings } from '../../src/settings.ts'
import { openTransferPlace } from '../../src/backends/open-transfer-place.ts'
import type { TransferPlace } from '../../src/transfer/transfer-place.ts'
import { SSE_KEY } from './filled-place.ts'

const ids = new BatchIds(systemClock)

/** Places and files of a test, which go when it ends. */
export class Places implements AsyncDisposable {
  readonly directory: string
  readonly #resources = new AsyncDisposableStack()

  private constructor(directory: string) {
    this.directory = directory
  }

  static async make(): Promise<Places> {
    return new Places(await mkdtemp(join(tmpdir(), 'standpipe-transfer-')))
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  /** A data directory of that name. */
  embedded(name: string, environment: Readonly<Record<string, string>> = {}): Promise<OpenPlace> {
    return this.#open({ STANDPIPE_DATA_DIR: this.file(name), ...environment })
  }

  /** A prefix that nobody else uses, unless it is given. */
  redis(url: string, prefix: string = ids.next(), force = false): Promise<OpenPlace> {
    const backend = `${url}?prefix=${prefix}`
    return this.#open({ STANDPIPE_BACKEND: backend, STANDPIPE_REDIS_FSYNC: 'none' }, force)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #open(environment: Readonly<Record<string, string>>, force = false): Promise<OpenPlace> {
    const resources = this.#resources.use(new AsyncDisposableStack())
    const { settings } = loadSettings({
      flags: {},
      environment: { STANDPIPE_SSE_KEY: SSE_KEY, ...environment },
      workingDirectory: this.directory,
    })
    const options = { settings, force, clock: systemClock, logger: silentLogger }
    const place = await openTransferPlace(options, resources)
    return { ...place, close: () => resources.disposeAsync() }
  }
}

export interface OpenPlace extends TransferPlace {
  close(): Promise<void>
}
