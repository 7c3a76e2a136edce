import { crc32, createDeflateRaw } from 'node:zlib'
import { CodecStream } from './codec-stream.ts'
import type { Compressor, Sink } from './compressor.ts'

/** On 1 KB JSON log records: 6.8x at 143 MB/s, where level 6 gives 7.0x at 114 to 134 MB/s. */
const LEVEL = 5
const MEMORY_LEVEL = 9
const OUTPUT_CHUNK_BYTES = 64 * 1024

/** A raw deflate stream, counted and summed as GZIP and ZIP want to know it afterwards. */
export class Deflate implements Compressor {
  readonly #codec: CodecStream
  #crc32 = 0
  #rawBytes = 0
  #deflatedBytes = 0

  constructor(sink: Sink) {
    const codec = createDeflateRaw({
      level: LEVEL,
      memLevel: MEMORY_LEVEL,
      chunkSize: OUTPUT_CHUNK_BYTES,
    })
    this.#codec = new CodecStream(codec, (bytes) => {
      this.#deflatedBytes += bytes.byteLength
      return sink(bytes)
    })
  }

  /** Of the bytes written so far. */
  get crc32(): number {
    return this.#crc32
  }

  get rawBytes(): number {
    return this.#rawBytes
  }

  get deflatedBytes(): number {
    return this.#deflatedBytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#crc32 = crc32(bytes, this.#crc32)
    this.#rawBytes += bytes.byteLength
    await this.#codec.write(bytes)
  }

  async finish(): Promise<void> {
    await this.#codec.finish()
  }
}
