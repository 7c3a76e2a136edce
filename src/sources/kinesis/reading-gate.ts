import { Semaphore } from '../../pipeline/semaphore.ts'
import type { SourceHost } from '../../source.ts'

/** A page has up to 10 MiB, and there may be hundreds of shards. */
const PAGES_MAX = 8

/** How much of one stream's source is in memory at once. */
export class ReadingGate {
  readonly #pages = new Semaphore(PAGES_MAX)
  readonly #host: SourceHost

  constructor(host: SourceHost) {
    this.#host = host
  }

  /** Waits until the stream may have more. */
  async admit(signal: AbortSignal): Promise<void> {
    await this.#host.admit(signal)
    signal.throwIfAborted()
  }

  /** @returns what is called when the page was taken over, or let go */
  async enter(signal: AbortSignal): Promise<() => void> {
    await this.admit(signal)
    const leave = await this.#pages.acquire()
    if (!signal.aborted) return leave
    leave()
    throw signal.reason
  }
}
