import { createHash } from 'node:crypto'
import type { OutputContent, Spool } from '../destination.ts'

interface Slice {
  readonly start: number
  readonly end: number
  readonly sha256: string
}

/**
 * The contents of many outputs, back to back in one spool: however many requests a batch is cut into,
 * they take the memory of one.
 */
export class SharedSpool {
  readonly #spool: Spool
  readonly #slices: Slice[] = []
  #hash = createHash('sha256')
  #start = 0
  #end = 0

  constructor(spool: Spool) {
    this.#spool = spool
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.#end += bytes.byteLength
    await this.#spool.write(bytes)
  }

  /** What was written since the last one is a content. */
  endContent(): void {
    this.#slices.push({ start: this.#start, end: this.#end, sha256: this.#hash.digest('hex') })
    this.#start = this.#end
    this.#hash = createHash('sha256')
  }

  /** The contents in order; what they share is given back with the last of them. */
  async finish(): Promise<readonly OutputContent[]> {
    const whole = await this.#spool.finish()
    const held = new Set(this.#slices)
    if (held.size === 0) await whole.dispose()
    return this.#slices.map((slice) => ({
      sizeBytes: slice.end - slice.start,
      sha256: slice.sha256,
      read: (start, end) => whole.read(slice.start + start, slice.start + end),
      async dispose() {
        if (held.delete(slice) && held.size === 0) await whole.dispose()
      },
    }))
  }
}
