import type { FollowedFile } from './followed-file.ts'
import type { FollowedFiles } from './followed-files.ts'
import type { CutRecord } from './record-cutter.ts'
import type { ShapedRecord } from './record-shape.ts'

/** Limits of PutRecordBatch. */
const BATCH_RECORDS_MAX = 500
const BATCH_BYTES_MAX = 4 * 1024 * 1024
/** What may be read for one request, where most of it is not to be sent. */
const READ_BYTES_MAX = 4 * BATCH_BYTES_MAX

/** What goes into one request, and how far it brings each file. */
export interface Batch {
  readonly records: Buffer[]
  readonly reached: Map<FollowedFile, number>
  dataBytes: number
  truncatedCount: number
  unmatchedCount: number
}

/** Takes records from files, a request's worth at a time. */
export class BatchGathering {
  readonly #files: FollowedFiles
  readonly #shape: (record: CutRecord) => ShapedRecord
  /** The series that comes first in the next batch, so that each has its turn. */
  #firstSeries = 0

  constructor(files: FollowedFiles, shape: (record: CutRecord) => ShapedRecord) {
    this.#files = files
    this.#shape = shape
  }

  /** Within a series a file has its turn when all that is older is read. */
  async next(): Promise<Batch> {
    const batch = {
      records: [],
      reached: new Map(),
      dataBytes: 0,
      truncatedCount: 0,
      unmatchedCount: 0,
    }
    const room = { readBytes: READ_BYTES_MAX }
    const series = this.#files.bySeries
    for (const turn of series.keys()) {
      const index = (this.#firstSeries + turn) % series.length
      for (const file of series[index] ?? []) {
        if (await this.#takeAll(file, batch, room)) continue
        this.#firstSeries = index + 1
        return batch
      }
    }
    return batch
  }

  /** False when there is more in the file than there is room for. */
  async #takeAll(file: FollowedFile, batch: Batch, room: { readBytes: number }): Promise<boolean> {
    for (;;) {
      for (let record = file.peek(); record !== undefined; record = file.peek()) {
        const shaped = this.#shape(record)
        if (!hasRoom(batch, shaped)) return false
        file.take()
        add(batch, shaped)
        batch.reached.set(file, record.endOffset)
      }
      if (!file.hasMore) return true
      if (room.readBytes <= 0) return false
      const unreadBytes = file.unreadBytes
      if (!(await this.#files.read(file))) return true
      room.readBytes -= unreadBytes - file.unreadBytes
    }
  }
}

function hasRoom({ records, dataBytes }: Batch, { data }: ShapedRecord): boolean {
  if (data === undefined) return true
  return records.length < BATCH_RECORDS_MAX && dataBytes + data.byteLength <= BATCH_BYTES_MAX
}

function add(batch: Batch, { data, isTruncated, isUnmatched }: ShapedRecord): void {
  if (data !== undefined) {
    batch.records.push(data)
    batch.dataBytes += data.byteLength
  }
  if (isTruncated) batch.truncatedCount += 1
  if (isUnmatched) batch.unmatchedCount += 1
}
