import { strict as assert } from 'node:assert'
import type { Json } from '../base/json.ts'
import { ordinalEndOf } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { Failure } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { ProcessingSummary } from '../manifest.ts'
import { NO_PARTITION_KEYS } from '../partition.ts'
import type { PartitionKeys } from '../partition.ts'
import { errorLine } from '../processors/error-lines.ts'
import type { ErrorOutputType, ProcessingFailure, ProcessingRecord } from '../processor.ts'
import { RecordSet } from '../record-set.ts'
import type { StagingWriter } from '../staging.ts'
import type { IndexedBlock, ProcessedIndex } from './processed-index.ts'
import { RecordRun } from './record-run.ts'
import { Semaphore } from './semaphore.ts'

/** Of a batch that is not partitioned there is nothing to gather. */
const RUN_BYTES = 1024 * 1024
const PARTITIONED_RUN_BYTES = 32 * 1024 * 1024
const ERROR_BLOCK_BYTES = 256 * 1024

interface PartitionSoFar {
  readonly keys: PartitionKeys
  recordCount: number
  dataBytes: number
  firstArrivalMs: number
  readonly blocks: IndexedBlock[]
}

interface ErrorsSoFar {
  recordCount: number
  readonly blocks: number[]
  lines: string[]
  linesBytes: number
}

export interface ProcessedWriterOptions {
  readonly writer: StagingWriter
  readonly batch: SealedBatch
  readonly stream: DeliveryStream
  readonly partitioned: boolean
  /** Each accepted record becomes one record, or is dropped or failed. */
  readonly oneToOne: boolean
}

/** Stages what becomes of a batch's records, and keeps count of each. */
export class ProcessedWriter {
  readonly #options: ProcessedWriterOptions
  readonly #run: RecordRun
  readonly #keepsOrdinals: boolean
  readonly #numbers = new Map<string, number>()
  readonly #partitions: PartitionSoFar[] = []
  readonly #errors = new Map<ErrorOutputType, ErrorsSoFar>()
  /** The staging area takes one block at a time; errors come from stages that run side by side. */
  readonly #writing = new Semaphore(1)
  readonly #droppedSet: RecordSet
  readonly #failedSet: RecordSet
  #droppedCount = 0
  #failedCount = 0
  #madeCount = 0
  #lastOrdinal = -1
  #lastFailure: Failure | undefined
  #tableSchema: Json | undefined

  constructor(options: ProcessedWriterOptions) {
    const { batch, partitioned, oneToOne } = options
    this.#options = options
    this.#keepsOrdinals = oneToOne && !partitioned
    const runBytes = partitioned ? PARTITIONED_RUN_BYTES : RUN_BYTES
    this.#run = new RecordRun(runBytes, batch.dataBytes, this.#keepsOrdinals)
    this.#droppedSet = RecordSet.empty(ordinalEndOf(batch))
    this.#failedSet = RecordSet.empty(ordinalEndOf(batch))
  }

  async addAll(records: readonly ProcessingRecord[]): Promise<void> {
    for (const record of records) {
      const number = this.#numberOf(record)
      if (!this.#run.add(number, record)) {
        await this.#writeRun()
        assert(this.#run.add(number, record), 'a cleared run has room')
      }
      const partition = this.#partitions[number]
      assert(partition !== undefined)
      partition.recordCount += 1
      partition.dataBytes += record.data.byteLength
      partition.firstArrivalMs = Math.min(partition.firstArrivalMs, record.arrivalMs)
      assert(!this.#keepsOrdinals || record.ordinal > this.#lastOrdinal, 'stages keep the order')
      this.#lastOrdinal = record.ordinal
    }
  }

  fail(record: ProcessingRecord, failure: ProcessingFailure): void {
    const { errorOutputType, errorCode, errorMessage } = failure
    const errors = this.#errors.get(errorOutputType) ?? {
      recordCount: 0,
      blocks: [],
      lines: [],
      linesBytes: 0,
    }
    this.#errors.set(errorOutputType, errors)
    const line = errorLine(record, failure)
    errors.recordCount += 1
    errors.lines.push(line)
    errors.linesBytes += line.length
    this.#failedCount += 1
    this.#lastFailure = { errorCode, errorMessage }
    if (this.#options.oneToOne) this.#failedSet.add(record.ordinal)
  }

  drop({ ordinal }: ProcessingRecord): void {
    this.#droppedCount += 1
    if (this.#options.oneToOne) this.#droppedSet.add(ordinal)
  }

  made(count: number): void {
    this.#madeCount += count
  }

  setTableSchema(schema: Json): void {
    this.#tableSchema = schema
  }

  /** Writes error records that have come together. */
  async relieve(blockBytesMin = ERROR_BLOCK_BYTES): Promise<void> {
    for (const errors of this.#errors.values()) {
      if (errors.linesBytes < blockBytesMin) continue
      const block = Buffer.from(errors.lines.join(''))
      errors.lines = []
      errors.linesBytes = 0
      errors.blocks.push(await this.#write(block))
    }
  }

  /** Makes all of it durable. */
  async finish(quarantinedCount: number): Promise<void> {
    const { batch, stream, partitioned, writer } = this.#options
    await this.#writeRun()
    await this.relieve(1)
    const outCount = this.#partitions.reduce((sum, { recordCount }) => sum + recordCount, 0)
    assert.equal(
      outCount + this.#failedCount + this.#droppedCount,
      batch.recordCount - quarantinedCount + this.#madeCount,
      'processors account for each record once',
    )
    const index: ProcessedIndex = {
      batchId: batch.batchId,
      versionId: stream.versionId,
      partitioned,
      partitions: this.#partitions.map(({ keys, ...partition }) => ({
        ...partition,
        keys: { query: [...keys.query], lambda: [...keys.lambda] },
      })),
      errors: [...this.#errors].map(([errorOutputType, { recordCount, blocks }]) => ({
        errorOutputType,
        recordCount,
        blocks,
      })),
      droppedCount: this.#droppedCount,
      madeCount: this.#madeCount,
      quarantinedCount,
      summary: this.#summary(),
      ...(this.#lastFailure !== undefined && { lastFailure: this.#lastFailure }),
      ...(this.#tableSchema !== undefined && { tableSchema: this.#tableSchema }),
    }
    await writer.finish(Buffer.from(JSON.stringify(index)))
  }

  #summary(): ProcessingSummary {
    return {
      order: this.#keepsOrdinals ? 'kept' : this.#options.oneToOne ? 'lost' : 'split',
      ...(this.#droppedSet.size > 0 && { dropped: this.#droppedSet.toString() }),
      ...(this.#failedSet.size > 0 && { failed: this.#failedSet.toString() }),
    }
  }

  #numberOf({ partition = '', keys }: ProcessingRecord): number {
    const known = this.#numbers.get(partition)
    if (known !== undefined) return known
    const number = this.#partitions.push({
      keys: keys ?? NO_PARTITION_KEYS,
      recordCount: 0,
      dataBytes: 0,
      firstArrivalMs: Infinity,
      blocks: [],
    })
    this.#numbers.set(partition, number - 1)
    return number - 1
  }

  async #writeRun(): Promise<void> {
    for (const { partition, recordCount, lastOrdinal, block } of this.#run.blocks()) {
      const number = await this.#write(block)
      this.#partitions[partition]?.blocks.push([number, recordCount, lastOrdinal])
    }
    this.#run.clear()
  }

  #write(block: Buffer): Promise<number> {
    return this.#writing.run(() => this.#options.writer.write(block))
  }
}
