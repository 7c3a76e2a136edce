import { strict as assert } from 'node:assert'
import type { SealedBatch } from '../batch.ts'
import type { BatchContents, BatchReading, StoredChunk } from '../batch-store.ts'
import type { Manifest } from '../manifest.ts'
import type { StagedBatch, StagingWriter } from '../staging.ts'

/** One batch in memory and nowhere else: for what is asked what would become of it. */
export class HeldBatch implements BatchContents {
  readonly #chunks: readonly StoredChunk[]
  #manifest: Manifest | undefined
  #staged: { readonly blocks: readonly Buffer[]; readonly index: Buffer } | undefined

  constructor(chunks: readonly StoredChunk[]) {
    this.#chunks = chunks
  }

  read(_batch: SealedBatch, { from, to } = { from: 0, to: Infinity }): BatchReading {
    const chunks = this.#chunks.filter(
      ({ firstOrdinal, recordCount }) => firstOrdinal < to && firstOrdinal + recordCount > from,
    )
    return {
      quarantinedCount: 0,
      async *[Symbol.asyncIterator]() {
        yield* chunks
      },
    }
  }

  async manifest(): Promise<Manifest | undefined> {
    return this.#manifest
  }

  async freeze(_batch: SealedBatch, manifest: Manifest): Promise<void> {
    this.#manifest = manifest
  }

  async thaw(): Promise<void> {
    this.#manifest = undefined
  }

  async stage(): Promise<StagingWriter> {
    const blocks: Buffer[] = []
    return {
      write: async (block) => blocks.push(Buffer.from(block)) - 1,
      finish: async (index) => {
        this.#staged = { blocks, index: Buffer.from(index) }
      },
      abandon: async () => {},
    }
  }

  async staged(): Promise<StagedBatch | undefined> {
    if (this.#staged === undefined) return undefined
    const { blocks, index } = this.#staged
    return {
      index,
      blockCount: blocks.length,
      async read(number) {
        const block = blocks[number]
        assert(block !== undefined, 'a block that was written')
        return block
      },
      close: async () => {},
    }
  }

  async unstage(): Promise<void> {
    this.#staged = undefined
  }
}
