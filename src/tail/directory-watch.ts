import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../base/clock.ts'

/** Wakes who waits when something happens to files. */
export interface FileChanges {
  /** From now on, changes of these files and of their directories count. */
  watch(paths: readonly string[]): void
  /** Resolves when something has changed since the last call, after the time, or with the signal. */
  wait(durationMs: number, signal: AbortSignal): Promise<void>
  close(): void
}

/** So that what changes in quick succession is seen at once, and sent together. */
const GATHER_MS = 50

/** By the system's notices, where it gives them: not on network file systems. */
export class DirectoryWatch implements FileChanges {
  readonly #clock: Clock
  readonly #watchers = new Map<string, FSWatcher | undefined>()
  #changed = new AbortController()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  watch(paths: readonly string[]): void {
    const directories = new Set(paths.map((path) => dirname(path)))
    for (const [directory, watcher] of this.#watchers) {
      if (directories.has(directory)) continue
      watcher?.close()
      this.#watchers.delete(directory)
    }
    for (const directory of directories) {
      if (!this.#watchers.has(directory)) this.#watchers.set(directory, this.#open(directory))
    }
  }

  async wait(durationMs: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(durationMs, AbortSignal.any([this.#changed.signal, signal]))
    if (!this.#changed.signal.aborted) return
    await this.#clock.sleep(GATHER_MS, signal)
    this.#changed = new AbortController()
  }

  close(): void {
    this.watch([])
  }

  /** Undefined where there are no notices, or no more of them: then there is the poll. */
  #open(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#changed.abort())
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(directory)
      })
      return watcher
    } catch {
      return undefined
    }
  }
}
