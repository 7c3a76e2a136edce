/**
 * A batch as delivery sees it: as it was accepted, or as processors left it (processed-index.ts), which
 * looks like a batch of its own with fewer records, or more.
 */
import { strict as assert } from 'node:assert'
import { BufferPool } from '../base/buffer-pool.ts'
import { ordinalEndOf } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { BatchContents, BatchReading, StoredChunk } from '../batch-store.ts'
import type { Failure } from '../delivery-queue.ts'
import type { Partition, ProcessedBatch } from '../destination.ts'
import type { OrdinalRange, ProcessingSummary } from '../manifest.ts'
import { RecordSet } from '../record-set.ts'
import type { StagedBatch } from '../staging.ts'
import { chunksOf } from './processed-index.ts'
import type { IndexedErrors, IndexedPartition, ProcessedIndex } from './processed-index.ts'

export interface BatchSource {
  /** What is to be delivered; `recordCount` and `ordinalEnd` are those of the processed batch. */
  readonly batch: SealedBatch
  /** As it was accepted. */
  readonly accepted: SealedBatch
  read(range?: OrdinalRange): BatchReading
  /** Absent: no processors ran. */
  readonly processing?: SourceProcessing
  close(): Promise<void>
}

export interface SourceProcessing {
  readonly droppedCount: number
  readonly madeCount: number
  readonly quarantinedCount: number
  readonly failedCount: number
  readonly lastFailure: Failure | undefined
  readonly summary: ProcessingSummary
  /** Ordinals of `batch` that have no record any more. */
  readonly absent: RecordSet | undefined
  readonly errors: readonly SourceErrors[]
  /** For one encoding. */
  forEncoding(): ProcessedBatch
}

export interface SourceErrors extends Pick<IndexedErrors, 'errorOutputType' | 'recordCount'> {
  readonly lines: () => AsyncIterable<Buffer>
}

export function acceptedBatch(batch: SealedBatch, contents: BatchContents): BatchSource {
  return {
    batch,
    accepted: batch,
    read: (range) => contents.read(batch, range),
    close: async () => {},
  }
}

/** What was staged for a batch; the caller has made sure that it is of the right version. */
export class StagedSource implements BatchSource {
  readonly batch: SealedBatch
  readonly accepted: SealedBatch
  readonly processing: SourceProcessing
  readonly #index: ProcessedIndex
  /** Records have the ordinals that they were accepted with. */
  readonly #keepsOrdinals: boolean
  readonly #staged: StagedBatch
  readonly #memory = new BufferPool()

  constructor(accepted: SealedBatch, staged: StagedBatch, contents: BatchContents) {
    const index = JSON.parse(staged.index.toString()) as ProcessedIndex
    assert.equal(index.batchId, accepted.batchId, 'what is staged is of its own batch')
    this.#index = index
    this.#keepsOrdinals = index.summary.order === 'kept'
    this.#staged = staged
    this.accepted = accepted
    const recordCount = sum(index.partitions.map((partition) => partition.recordCount))
    this.batch = {
      ...accepted,
      recordCount,
      ordinalEnd: this.#keepsOrdinals ? ordinalEndOf(accepted) : recordCount,
      dataBytes: sum(index.partitions.map(({ dataBytes }) => dataBytes)),
    }
    const { droppedCount, madeCount, quarantinedCount, lastFailure, summary } = index
    this.processing = {
      droppedCount,
      madeCount,
      quarantinedCount,
      failedCount: sum(index.errors.map(({ recordCount }) => recordCount)),
      lastFailure,
      summary,
      absent: this.#keepsOrdinals ? absentOf(summary, ordinalEndOf(accepted)) : undefined,
      errors: index.errors.map(({ errorOutputType, recordCount, blocks }) => ({
        errorOutputType,
        recordCount,
        lines: () => this.#blocks(blocks),
      })),
      forEncoding: () => ({
        originals: contents.read(accepted),
        ...(this.#index.partitioned && {
          partitions: partitionsOf(this.#index, (partition, from) => this.#chunks(partition, from)),
        }),
        ...(this.#index.tableSchema !== undefined && { tableSchema: this.#index.tableSchema }),
      }),
    }
  }

  /** Under which version of the stream the processors ran. */
  get versionId(): number {
    return this.#index.versionId
  }

  read(range?: OrdinalRange): BatchReading {
    return { quarantinedCount: 0, [Symbol.asyncIterator]: () => this.#read(range) }
  }

  close(): Promise<void> {
    return this.#staged.close()
  }

  async *#read(
    { from, to }: OrdinalRange = { from: 0, to: ordinalEndOf(this.batch) },
  ): AsyncGenerator<StoredChunk> {
    let firstOrdinal = 0
    for (const partition of this.#index.partitions) {
      const end = firstOrdinal + partition.recordCount
      const isWanted = this.#keepsOrdinals || (firstOrdinal < to && end > from)
      if (isWanted) yield* this.#chunks(partition, firstOrdinal, { from, to })
      firstOrdinal = end
    }
  }

  /** The chunks of a partition with records of the range. */
  async *#chunks(
    partition: IndexedPartition,
    firstOrdinal: number,
    { from, to }: OrdinalRange = { from: 0, to: Infinity },
  ): AsyncGenerator<StoredChunk> {
    const keepsOrdinals = this.#keepsOrdinals
    let ordinal = firstOrdinal
    for (const [block, recordCount, lastOrdinal] of partition.blocks) {
      const end = keepsOrdinals ? lastOrdinal + 1 : ordinal + recordCount
      const isWanted = keepsOrdinals ? end > from : ordinal < to && end > from
      if (!isWanted) {
        ordinal = end
        continue
      }
      const bytes = await this.#staged.read(block, this.#memory)
      try {
        for (const chunk of chunksOf(bytes)) {
          if (keepsOrdinals) ordinal = chunk.firstOrdinal
          if (ordinal >= to) return
          const chunkEnd = ordinal + chunk.recordCount
          if (chunkEnd > from) yield { ...chunk, firstOrdinal: ordinal }
          ordinal = chunkEnd
        }
      } finally {
        this.#memory.give(bytes)
      }
    }
  }

  async *#blocks(blocks: readonly number[]): AsyncGenerator<Buffer> {
    for (const block of blocks) yield await this.#staged.read(block)
  }
}

type ChunksOf = (partition: IndexedPartition, firstOrdinal: number) => AsyncIterable<StoredChunk>

function partitionsOf({ partitions }: ProcessedIndex, chunks: ChunksOf): readonly Partition[] {
  let to = 0
  return partitions.map((partition): Partition => {
    const { keys, recordCount, dataBytes, firstArrivalMs } = partition
    const from = to
    to += recordCount
    return {
      keys: { query: new Map(keys.query), lambda: new Map(keys.lambda) },
      range: { from, to },
      dataBytes,
      firstArrivalMs,
      chunks: () => chunks(partition, from),
    }
  })
}

function absentOf({ dropped, failed }: ProcessingSummary, ordinalEnd: number): RecordSet {
  const absent = RecordSet.empty(ordinalEnd)
  for (const records of [dropped, failed]) {
    if (records === undefined) continue
    for (const ordinal of RecordSet.parse(records)) absent.add(ordinal)
  }
  return absent
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
