import { ordinalEndOf } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { Books } from '../receipt.ts'
import { ManifestDamaged } from '../manifest.ts'
import { StagingDamaged } from '../staging.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { batchFacts, noCounts } from './transfer-file.ts'
import type { TransferCounts } from './transfer-file.ts'
import type { TransferPlace } from './transfer-place.ts'
import { TransferWriter } from './transfer-writer.ts'

const POSITIONS_PER_PART = 1_000
/** As many are named in a message. */
const NAMED_MAX = 10

export interface ExportReport extends TransferCounts {
  /** Of the file. */
  readonly sizeBytes: number
  /** Records that the books call pending, and that are in no batch: they were lost before. */
  readonly missingCount: number
  /** Batches that belong to no stream; they stay where they are. */
  readonly strayCount: number
}

/** A stream while it is written. */
interface StreamExport {
  readonly stream: DeliveryStream
  /** As the books have it; what was found so far is taken off. */
  pendingCount: number
}

/**
 * Writes all that there is into a file (transfer-file.ts); what is open is sealed before.
 * @param onProgress told after each batch
 * @throws Error when a batch can't be moved as it is: then nothing is written
 */
export async function exportAll(
  place: TransferPlace,
  path: string,
  onProgress: (counts: TransferCounts) => void,
): Promise<ExportReport> {
  await using writer = await TransferWriter.create(path)
  const written = await new Export(place, writer).run(onProgress)
  await place.refuseService()
  return { ...written, sizeBytes: await writer.finish() }
}

class Export {
  readonly #place: TransferPlace
  readonly #writer: TransferWriter
  readonly #counts = noCounts()
  readonly #streams = new Map<string, StreamExport>()
  /** What stands in the way of batches, each in words. */
  readonly #obstacles: string[] = []

  constructor(place: TransferPlace, writer: TransferWriter) {
    this.#place = place
    this.#writer = writer
  }

  async run(
    onProgress: (counts: TransferCounts) => void,
  ): Promise<Omit<ExportReport, 'sizeBytes'>> {
    const { store, catalog, catalogTransfer } = this.#place
    await store.sealAll('drain')
    for (const stream of await catalog.streams()) await this.#writeStream(stream)
    let strayCount = 0
    for await (const batch of store.list()) {
      const exported = this.#streams.get(batch.streamId)
      if (exported === undefined) {
        strayCount += 1
        continue
      }
      // Delivered, and only not removed any more.
      if (await catalogTransfer.hasReceipt(batch.streamId, batch.batchId)) continue
      await this.#tryBatch(exported, batch)
      onProgress(this.#counts)
    }
    this.#refuseObstacles()
    if (this.#place.errorCount() > 0) {
      throw new Error('Cannot export: not all that is there can be read; the log says what')
    }
    await this.#writer.write({ kind: 'end', counts: this.#counts })
    const missing = [...this.#streams.values()].map(({ pendingCount }) => Math.max(0, pendingCount))
    return {
      ...this.#counts,
      missingCount: missing.reduce((sum, count) => sum + count, 0),
      strayCount,
    }
  }

  async #writeStream(stream: DeliveryStream): Promise<void> {
    const { store, catalog, catalogTransfer } = this.#place
    const { streamId, name } = stream
    const open = await store.openBatches(streamId)
    if (open.length > 0) throw new Error(`Cannot export: stream ${name} has batches that stay open`)
    const books = await catalog.books(streamId)
    const settled = settledBooks(books)
    this.#streams.set(streamId, { stream, pendingCount: books.accepted - settled.accepted })
    await this.#writer.write({ kind: 'stream', stream, books: settled })
    this.#counts.streamCount += 1
    for await (const receipts of catalogTransfer.receipts(streamId)) {
      await this.#writer.write({ kind: 'receipts', receipts })
      this.#counts.receiptCount += receipts.length
    }
    for await (const parts of catalogTransfer.replays(streamId)) {
      await this.#writer.write({ kind: 'replays', parts })
      this.#counts.replayCount += parts.length
    }
    await this.#writePositions(streamId)
  }

  /** What is open is sealed: so they are those of the batches that follow. */
  async #writePositions(streamId: string): Promise<void> {
    const positions = await this.#place.store.positions(streamId)
    for (let start = 0; start < positions.length; start += POSITIONS_PER_PART) {
      const part = positions.slice(start, start + POSITIONS_PER_PART)
      await this.#writer.write({ kind: 'positions', positions: part })
    }
    this.#counts.positionCount += positions.length
  }

  /** After the first obstacle the rest is only looked at for others: an operator wants to know all. */
  async #tryBatch(exported: StreamExport, batch: SealedBatch): Promise<void> {
    exported.pendingCount -= batch.recordCount
    try {
      const obstacle = await this.#writeBatch(batch)
      if (obstacle === undefined) return
      this.#obstacles.push(`${batch.batchId} of ${exported.stream.name} (${obstacle})`)
    } catch (error) {
      if (!(error instanceof ManifestDamaged || error instanceof StagingDamaged)) throw error
      this.#obstacles.push(`${batch.batchId} of ${exported.stream.name} (${error.message})`)
    }
  }

  /** What is in the way of it, in words; undefined when it was written. */
  async #writeBatch(batch: SealedBatch): Promise<string | undefined> {
    const { store } = this.#place
    if (ordinalEndOf(batch) !== batch.recordCount) return 'a crash has left gaps in it'
    await this.#writer.write({ kind: 'batch', batch: batchFacts(batch) })
    const reading = store.read(batch)
    for await (const { arrivalMs, recordCount, payload, metadataBytes } of reading) {
      const facts = {
        arrivalMs,
        recordCount,
        ...(metadataBytes !== undefined && { metadataBytes }),
      }
      await this.#writer.write({ kind: 'chunk', ...facts, payload })
    }
    if (reading.quarantinedCount > 0) return `damaged records: ${reading.quarantinedCount}`
    await this.#writeStaged(batch)
    const manifest = await store.manifest(batch)
    if (manifest !== undefined) await this.#writer.write({ kind: 'manifest', manifest })
    this.#counts.batchCount += 1
    this.#counts.recordCount += batch.recordCount
    this.#counts.dataBytes += batch.dataBytes
    return undefined
  }

  async #writeStaged(batch: SealedBatch): Promise<void> {
    const staged = await this.#place.store.staged(batch)
    if (staged === undefined) return
    try {
      for (let block = 0; block < staged.blockCount; block += 1) {
        await this.#writer.write({ kind: 'block', payload: await staged.read(block) })
      }
      await this.#writer.write({ kind: 'index', payload: staged.index })
    } finally {
      await staged.close()
    }
  }

  #refuseObstacles(): void {
    const count = this.#obstacles.length
    if (count === 0) return
    const named = this.#obstacles.slice(0, NAMED_MAX).join(', ')
    const more = count > NAMED_MAX ? ` and ${count - NAMED_MAX} more` : ''
    throw new Error(
      `Cannot export before batches are delivered that can't be moved as they are: ${named}${more}`,
    )
  }
}

/** The books without what is pending. */
function settledBooks(books: Books): Books {
  const { made, delivered, dropped, errored, quarantined } = books
  return { ...books, accepted: delivered + dropped + errored + quarantined - made }
}
