import { createHash } from 'node:crypto'
import { strict as assert } from 'node:assert'
import type { OutputContent, Spool } from '../destination.ts'

interface Slice {
  readonly start: number
  readonly end: number
  readonly sha256: string
}

/**
 * The contents of many outputs, one after the other in one spool: however many a batch is cut into,
 * they take the memory of one.
 */
export class SharedSpool {
  readonly #spool: Spool
  readonly #held = new Set<Slice>()
  #whole: OutputContent | undefined
  #hash = createHash('sha256')
  #start = 0
  #end = 0

  constructor(spool: Spool) {
    this.#spool = spool
  }

  /** The next content as a spool of its own; the one before must be finished. */
  next(): Spool {
    return {
      write: (bytes) => this.write(bytes),
      finish: () => Promise.resolve(this.endContent()),
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.#end += bytes.byteLength
    await this.#spool.write(bytes)
  }

  /**
   * What was written since the last one. It can be read once `finish` has resolved; what all share is
   * given back with the last of them.
   */
  endContent(): OutputContent {
    const slice = { start: this.#start, end: this.#end, sha256: this.#hash.digest('hex') }
    const sizeBytes = slice.end - slice.start
    this.#held.add(slice)
    this.#start = this.#end
    this.#hash = createHash('sha256')
    return {
      sizeBytes,
      sha256: slice.sha256,
      read: (start, end) => {
        assert(this.#whole !== undefined, 'contents are read when all are finished')
        assert(0 <= start && start <= end && end <= sizeBytes, 'range outside of the content')
        return this.#whole.read(slice.start + start, slice.start + end)
      },
      dispose: async () => {
        if (this.#held.delete(slice) && this.#held.size === 0) await this.#whole?.dispose()
      },
    }
  }

  async finish(): Promise<void> {
    this.#whole = await this.#spool.finish()
    if (this.#held.size === 0) await this.#whole.dispose()
  }
}
