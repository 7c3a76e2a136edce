import { chunkData, dataOffset, recordLength } from '../chunk.ts'
import type { Chunk } from '../batch.ts'
import type { OutputContent, Spool } from '../destination.ts'
import type { CompressionFormat } from '../formats/compression.ts'
import { openCompressor } from '../formats/compression.ts'
import type { Compressor } from '../formats/compressor.ts'
import { grownBlock } from '../formats/grown-block.ts'

export interface ObjectEncoderOptions {
  readonly compressionFormat: CompressionFormat
  /** Name of the entry of a ZIP file. */
  readonly entryName: string
  /** Goes between two records, not after the last. */
  readonly delimiter?: Buffer | undefined
  readonly spool: Spool
}

/** Large enough that handing it on costs nothing per record. */
const BLOCK_BYTES = 256 * 1024

/**
 * One object in the making: records ▸ delimiter ▸ compressor ▸ spool. The total size is not promised
 * to the compressor beforehand, since a damaged chunk may turn out to be missing.
 */
export class ObjectEncoder {
  readonly #compressor: Compressor
  readonly #spool: Spool
  readonly #delimiter: Buffer | undefined
  /** Delimited records are gathered here, so that none costs a call of the compressor. */
  #block: Buffer = Buffer.alloc(0)
  #filledBytes = 0
  #recordCount = 0

  constructor({ compressionFormat, entryName, delimiter, spool }: ObjectEncoderOptions) {
    this.#spool = spool
    this.#delimiter = delimiter
    this.#compressor = openCompressor(compressionFormat, { entryName }, (bytes) =>
      spool.write(bytes),
    )
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Never called concurrently. */
  async add(chunk: Chunk): Promise<void> {
    if (this.#delimiter === undefined) await this.#compressor.write(chunkData(chunk))
    else await this.#addDelimited(chunk, this.#delimiter)
    this.#recordCount += chunk.recordCount
  }

  async finish(): Promise<OutputContent> {
    await this.#passOn()
    await this.#compressor.finish()
    return this.#spool.finish()
  }

  async #addDelimited({ payload, recordCount }: Chunk, delimiter: Buffer): Promise<void> {
    let start = dataOffset(recordCount)
    for (let index = 0; index < recordCount; index += 1) {
      const end = start + recordLength(payload, index)
      const isFirst = this.#recordCount + index === 0
      const neededBytes = end - start + (isFirst ? 0 : delimiter.byteLength)
      // Without an await for each record: most fit.
      if (neededBytes > BLOCK_BYTES - this.#filledBytes) await this.#passOn()
      this.#block = grownBlock(this.#block, this.#filledBytes, neededBytes, BLOCK_BYTES)
      if (!isFirst) this.#fill(delimiter, 0, delimiter.byteLength)
      if (neededBytes <= BLOCK_BYTES) this.#fill(payload, start, end)
      else {
        await this.#passOn()
        await this.#compressor.write(payload.subarray(start, end))
      }
      start = end
    }
  }

  #fill(bytes: Buffer, start: number, end: number): void {
    bytes.copy(this.#block, this.#filledBytes, start, end)
    this.#filledBytes += end - start
  }

  async #passOn(): Promise<void> {
    if (this.#filledBytes === 0) return
    await this.#compressor.write(this.#block.subarray(0, this.#filledBytes))
    this.#filledBytes = 0
  }
}
