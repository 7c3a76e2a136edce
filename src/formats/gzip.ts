/**
 * A GZIP file of one member (RFC 1952). The header is our own so that it says nothing of when and
 * where it was made: no name, modification time 0, operating system unknown.
 *
 *   member:  1f 8b | method 08 | flags 00 | mtime u32le 0 | extra flags 00 | system ff
 *            | deflated data | crc32 u32le | size mod 2^32 u32le
 */
import type { Compressor, Sink } from './compressor.ts'
import { Deflate } from './deflate.ts'

const HEADER = Buffer.from('1f8b08000000000000ff', 'hex')

export class GzipCompressor implements Compressor {
  readonly #sink: Sink
  readonly #deflate: Deflate
  #started = false

  constructor(sink: Sink) {
    this.#sink = sink
    this.#deflate = new Deflate(sink)
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#start()
    await this.#deflate.write(bytes)
  }

  async finish(): Promise<void> {
    await this.#start()
    await this.#deflate.finish()
    await this.#end()
  }

  async finishWith(bytes: Uint8Array): Promise<void> {
    await this.#start()
    await this.#deflate.finishWith(bytes)
    await this.#end()
  }

  async #end(): Promise<void> {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#deflate.crc32, 0)
    trailer.writeUInt32LE(this.#deflate.rawBytes % 2 ** 32, 4)
    await this.#sink(trailer)
  }

  async #start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    await this.#sink(HEADER)
  }
}
