import { strict as assert } from 'node:assert'
import { dataOffset, payloadBytes, setRecordLength } from '../chunk.ts'
import type { ProcessingRecord } from '../processor.ts'
import { CHUNK_HEAD_BYTES, writeChunkHead } from './processed-index.ts'

/** Beyond it a block is written, however few partitions there are. */
const BLOCK_BYTES_MAX = 4 * 1024 * 1024
const NONE = -1

/**
 * Records gathered in memory until they are written, each a member of one partition. Their bytes lie
 * back to back in one buffer, in the order of arrival, and the records of a partition are linked: no
 * object exists for a record, and ten thousand partitions cost no more than one.
 */
export class RecordRun {
  readonly #bytesMax: number
  readonly #buffers: BufferGrowth
  readonly #keepsOrdinals: boolean
  /** Each block is made in it. */
  #blockMemory: Buffer = Buffer.alloc(0)
  /** Of record `n`: where its bytes end, its ordinal, when it arrived, and the next of its partition. */
  readonly #ends: number[] = []
  readonly #ordinals: number[] = []
  readonly #arrivalsMs: number[] = []
  readonly #next: number[] = []
  /** Of partition `p`: its first and last record in the run. */
  readonly #first = new Map<number, number>()
  readonly #last = new Map<number, number>()

  /**
   * @param expectedBytes of all records to come, about; no more than they make of it is ever touched
   * @param keepsOrdinals a chunk's records have consecutive ordinals
   */
  constructor(bytesMax: number, expectedBytes: number, keepsOrdinals: boolean) {
    const firstBytes = Math.min(bytesMax, expectedBytes)
    this.#buffers = { bytes: Buffer.allocUnsafeSlow(firstBytes), filledBytes: 0 }
    this.#bytesMax = bytesMax
    this.#keepsOrdinals = keepsOrdinals
  }

  /** False: there is no room; the run is to be written and cleared first. A lone record always fits. */
  add(partition: number, { ordinal, arrivalMs, data }: RunRecord): boolean {
    const filled = this.#buffers
    const end = filled.filledBytes + data.byteLength
    if (end > this.#bytesMax && this.#ends.length > 0) return false
    if (end > filled.bytes.byteLength) grow(filled, end)
    data.copy(filled.bytes, filled.filledBytes)
    filled.filledBytes = end
    const record = this.#ends.push(end) - 1
    this.#ordinals.push(ordinal)
    this.#arrivalsMs.push(arrivalMs)
    this.#next.push(NONE)
    const last = this.#last.get(partition)
    if (last === undefined) this.#first.set(partition, record)
    else this.#next[last] = record
    this.#last.set(partition, record)
    return true
  }

  /**
   * The run as record blocks, partition by partition in order of their numbers. A block's memory is
   * valid until the next one is asked for.
   */
  *blocks(): Generator<RunBlock> {
    for (const [partition, first] of [...this.#first].toSorted(([a], [b]) => a - b)) {
      for (let from = first; from !== NONE;) {
        const { end, last, recordCount, blockBytes } = this.#extent(from)
        const lastOrdinal = this.#ordinals[last] ?? 0
        yield { partition, recordCount, lastOrdinal, block: this.#block(from, end, blockBytes) }
        from = end
      }
    }
  }

  clear(): void {
    this.#buffers.filledBytes = 0
    for (const list of [this.#ends, this.#ordinals, this.#arrivalsMs, this.#next]) list.length = 0
    this.#first.clear()
    this.#last.clear()
  }

  /** How far one block goes, from record `from` of its partition on. */
  #extent(from: number): Extent {
    let [blockBytes, recordCount, record, former] = [0, 0, from, NONE]
    while (record !== NONE) {
      const headBytes = this.#continues(former, record) ? 0 : CHUNK_HEAD_BYTES
      const recordBytes = headBytes + payloadBytes(1, this.#sizeOf(record))
      if (recordCount > 0 && blockBytes + recordBytes > BLOCK_BYTES_MAX) break
      blockBytes += recordBytes
      recordCount += 1
      former = record
      record = this.#nextOf(record)
    }
    return { end: record, last: former, recordCount, blockBytes }
  }

  #block(from: number, end: number, blockBytes: number): Buffer {
    const isRoom = blockBytes <= this.#blockMemory.byteLength
    if (!isRoom) this.#blockMemory = Buffer.allocUnsafeSlow(blockBytes)
    const block = this.#blockMemory.subarray(0, blockBytes)
    let offset = 0
    for (let record = from; record !== end;) {
      const records: number[] = []
      do {
        records.push(record)
        record = this.#nextOf(record)
      } while (record !== end && this.#continues(records.at(-1) ?? NONE, record))
      offset = this.#writeChunk(block, offset, records)
    }
    assert.equal(offset, blockBytes, 'a block is as large as was counted')
    return block
  }

  /** Whether two records of a partition, one after the other, are of one chunk. */
  #continues(former: number, record: number): boolean {
    if (former === NONE || this.#arrivalsMs[former] !== this.#arrivalsMs[record]) return false
    return !this.#keepsOrdinals || this.#ordinals[record] === (this.#ordinals[former] ?? 0) + 1
  }

  #writeChunk(block: Buffer, at: number, records: readonly number[]): number {
    const recordCount = records.length
    const payload = block.subarray(at + CHUNK_HEAD_BYTES)
    let offset = dataOffset(recordCount)
    for (const [index, record] of records.entries()) {
      const sizeBytes = this.#sizeOf(record)
      setRecordLength(payload, index, sizeBytes)
      const end = this.#endOf(record)
      this.#buffers.bytes.copy(payload, offset, end - sizeBytes, end)
      offset += sizeBytes
    }
    const [first = 0] = records
    const arrivalMs = this.#arrivalsMs[first] ?? 0
    const firstOrdinal = this.#ordinals[first] ?? 0
    writeChunkHead(block, at, { arrivalMs, firstOrdinal, recordCount }, offset)
    return at + CHUNK_HEAD_BYTES + offset
  }

  #sizeOf(record: number): number {
    return this.#endOf(record) - (record === 0 ? 0 : this.#endOf(record - 1))
  }

  #endOf(record: number): number {
    return this.#ends[record] ?? 0
  }

  #nextOf(record: number): number {
    return this.#next[record] ?? NONE
  }
}

export interface RunBlock {
  readonly partition: number
  readonly recordCount: number
  readonly lastOrdinal: number
  readonly block: Buffer
}

interface Extent {
  /** The record after the last. */
  readonly end: number
  readonly last: number
  readonly recordCount: number
  readonly blockBytes: number
}

type RunRecord = Pick<ProcessingRecord, 'ordinal' | 'arrivalMs' | 'data'>

interface BufferGrowth {
  bytes: Buffer
  filledBytes: number
}

function grow(buffers: BufferGrowth, neededBytes: number): void {
  const bytes = Buffer.allocUnsafe(Math.max(buffers.bytes.byteLength * 2, neededBytes))
  buffers.bytes.copy(bytes, 0, 0, buffers.filledBytes)
  buffers.bytes = bytes
}
