/**
 * Replays one object into a stream, each of its records once:
 *
 *   finish the parts that an earlier replay has left unfinished ▸ gather the records that are selected
 *   and in no part ▸ enter them as a part, with a new batch id ▸ make the batch ▸ gather the next …
 *
 * A part that is entered will be a batch, by this replay or the next; one whose batch was made is never
 * made again, because the catalog knows it before the batch can be removed. So every step may be the
 * last one of a process. What is held in memory is one part.
 */
import type { Clock } from '../base/clock.ts'
import type { BatchId, BatchIds, Chunk } from '../batch.ts'
import type { Catalog, ReplayedPart } from '../catalog.ts'
import { chunkOf } from '../chunk.ts'
import { RecordSet } from '../record-set.ts'
import type { SourceRecord } from './object-records.ts'
import { UnreadableObject } from './object-records.ts'

/** What a part grows to; less where the stream's own batches are smaller. */
const PART_BYTES_MAX = 16 * 1024 * 1024
const PART_RECORDS_MAX = 50_000
const CHUNK_BYTES_MAX = 1024 * 1024

export interface ObjectReplayOptions {
  readonly catalog: Catalog
  readonly batchIds: BatchIds
  readonly clock: Clock
  readonly streamId: string
  /** `bucket/key`. */
  readonly source: string
  readonly dryRun: boolean
  readonly isSelected: (record: SourceRecord) => boolean
  readonly partBytesMax: number
  readonly partRecordsMax: number
  /** The object's records from the beginning, each time it is asked for. */
  readonly read: () => AsyncIterable<SourceRecord>
  /** Waits until a batch may be begun. Throws when the replay is cancelled. */
  readonly admit: () => Promise<void>
  /**
   * Makes a batch, if it isn't there.
   * @returns whether it was made now
   */
  readonly importBatch: (
    batchId: BatchId,
    chunks: () => AsyncIterable<Chunk>,
    recordCount: number,
  ) => Promise<boolean>
}

/** Counts of one object's records. */
export interface ObjectCounts {
  readCount: number
  selectedCount: number
  replayedCount: number
  alreadyReplayedCount: number
}

export class ObjectReplay {
  readonly #options: ObjectReplayOptions
  /** Batches made by this replay, also in attempts that failed later. */
  readonly #ours = new Set<BatchId>()
  /** Parts of the object that the catalog has, ours too. */
  #partCount = 0
  counts: ObjectCounts = noCounts()

  constructor(options: ObjectReplayOptions) {
    this.#options = options
  }

  /** Batches made so far. */
  get madeCount(): number {
    return this.#ours.size
  }

  /** May be repeated when it has failed. */
  async run(): Promise<void> {
    const { catalog, streamId, source, dryRun } = this.#options
    this.counts = noCounts()
    const parts = await catalog.replayedParts(streamId, source)
    this.#partCount = parts.length
    const unfinished = parts.filter(({ imported }) => !imported)
    if (!dryRun) for (const part of unfinished) await this.#finish(part)
    const isOurs = ({ batchId }: ReplayedPart): boolean => this.#ours.has(batchId)
    const earlier = parts.filter((part) => !isOurs(part) && !(dryRun && !part.imported))
    await this.#replayRest(unionOf(parts.filter(isOurs)), unionOf(earlier))
  }

  async #replayRest(ours: RecordSet, earlier: RecordSet): Promise<void> {
    const { read, isSelected, dryRun } = this.#options
    let part = this.#newPart()
    for await (const record of read()) {
      this.counts.readCount += 1
      if (!isSelected(record)) continue
      this.counts.selectedCount += 1
      if (ours.has(record.index)) this.counts.replayedCount += 1
      else if (earlier.has(record.index)) this.counts.alreadyReplayedCount += 1
      else if (!dryRun) {
        if (!part.hasRoomFor(record)) {
          await this.#replayPart(part)
          part = this.#newPart()
        }
        part.add(record)
      }
    }
    if (part.recordCount > 0) await this.#replayPart(part)
  }

  async #replayPart(part: Part): Promise<void> {
    const { catalog, batchIds, streamId, source, admit } = this.#options
    await admit()
    const batchId = batchIds.next()
    const entered = { streamId, source, batchId, ...part.place() }
    await catalog.recordReplay(entered, this.#partCount)
    this.#partCount += 1
    await this.#import(entered, part)
    this.counts.replayedCount += part.recordCount
  }

  /** @throws UnreadableObject when the object has changed since the part was entered */
  async #finish(entered: ReplayedPart): Promise<void> {
    const records = unionOf([entered])
    const part = new Part(Infinity, Infinity)
    for await (const record of this.#options.read()) {
      if (records.has(record.index)) part.add(record)
    }
    if (part.recordCount !== records.size) {
      const { source } = this.#options
      throw new UnreadableObject(`Cannot finish the replay of ${source}: it has changed`)
    }
    await this.#import(entered, part)
  }

  async #import({ batchId }: ReplayedPart, part: Part): Promise<void> {
    const { importBatch } = this.#options
    const isNew = await importBatch(batchId, () => this.#chunks(batchId, part), part.recordCount)
    if (isNew) this.#ours.add(batchId)
  }

  /**
   * Asked for when the store does not hold the batch. If it has held it, the catalog has known of it
   * before it was removed; so it is asked now, and not earlier.
   */
  async *#chunks(batchId: BatchId, part: Part): AsyncGenerator<Chunk> {
    const { catalog, clock } = this.#options
    const entered = await catalog.replayedPart(batchId)
    if (entered?.imported === false) yield* part.chunks(clock.nowMs())
  }

  #newPart(): Part {
    const { partBytesMax, partRecordsMax } = this.#options
    return new Part(
      Math.min(partBytesMax, PART_BYTES_MAX),
      Math.min(partRecordsMax, PART_RECORDS_MAX),
    )
  }
}

/** The records of all parts, by their place in the object. */
function unionOf(parts: readonly ReplayedPart[]): RecordSet {
  const union = RecordSet.empty(parts.reduce((end, { range }) => Math.max(end, range.to), 0))
  for (const { range, records } of parts) {
    for (const place of RecordSet.parse(records)) union.add(range.from + place)
  }
  return union
}

function noCounts(): ObjectCounts {
  return { readCount: 0, selectedCount: 0, replayedCount: 0, alreadyReplayedCount: 0 }
}

/** Records that go into one batch. */
class Part {
  readonly #bytesMax: number
  readonly #recordsMax: number
  readonly #indexes: number[] = []
  readonly #records: Buffer[] = []
  #dataBytes = 0

  constructor(bytesMax: number, recordsMax: number) {
    this.#bytesMax = bytesMax
    this.#recordsMax = recordsMax
  }

  get recordCount(): number {
    return this.#records.length
  }

  /** There is always room for the first. */
  hasRoomFor({ data }: SourceRecord): boolean {
    if (this.#records.length === 0) return true
    const hasBytes = this.#dataBytes + data.byteLength <= this.#bytesMax
    return hasBytes && this.#records.length < this.#recordsMax
  }

  add({ index, data }: SourceRecord): void {
    this.#indexes.push(index)
    // A view would keep all of what it was read from.
    this.#records.push(Buffer.from(data))
    this.#dataBytes += data.byteLength
  }

  place(): Pick<ReplayedPart, 'range' | 'records'> {
    const range = { from: this.#indexes[0] ?? 0, to: (this.#indexes.at(-1) ?? -1) + 1 }
    const records = RecordSet.empty(range.to - range.from)
    for (const index of this.#indexes) records.add(index - range.from)
    return { range, records: records.toString() }
  }

  *chunks(arrivalMs: number): Generator<Chunk> {
    let group: Buffer[] = []
    let groupBytes = 0
    for (const record of this.#records) {
      if (group.length > 0 && groupBytes + record.byteLength > CHUNK_BYTES_MAX) {
        yield chunkOf(group, arrivalMs)
        group = []
        groupBytes = 0
      }
      group.push(record)
      groupBytes += record.byteLength
    }
    if (group.length > 0) yield chunkOf(group, arrivalMs)
  }
}
