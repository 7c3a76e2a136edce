import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Compressor, Sink } from './compressor.ts'

/** A codec that Node.js offers as a stream: waits for the codec and, through it, for the sink. */
export class CodecStream implements Compressor {
  readonly #codec: Transform
  /** Resolves when the sink has the last byte; rejects with the first error of codec or sink. */
  readonly #drained: Promise<void>

  constructor(codec: Transform, sink: Sink) {
    this.#codec = codec
    this.#drained = pipeline(codec, async (output: AsyncIterable<Buffer>) => {
      for await (const bytes of output) await sink(bytes)
    })
    // Whoever writes or finishes next is told; until then nobody listens.
    this.#drained.catch(() => undefined)
  }

  async write(bytes: Uint8Array): Promise<void> {
    const taken = new Promise<void>((resolve) => {
      this.#codec.write(bytes, (error) => {
        // A codec that was torn down says only that; the cause is what ended the pipeline.
        resolve(error ? this.#drained : undefined)
      })
    })
    // A codec whose sink has failed may never call back.
    await Promise.race([taken, this.#drained])
  }

  async finish(): Promise<void> {
    this.#codec.end()
    await this.#drained
  }
}
