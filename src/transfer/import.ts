/**
 * Enters what a file holds (transfer-file.ts) into a backend.
 *
 *   survey: all of the file is whole ▸ plan: nothing is in the way ▸ apply:
 *     books, receipts, replayed parts and positions of each stream ▸ batches with what belongs to them ▸
 *     the streams
 *
 * Nothing is written before the file is known to be whole. A stream enters the catalog last, when all
 * that is its own is there, and until then nobody delivers its batches: they belong to no known stream.
 * So an import that ended half-way is repeated; whatever it left is taken up or made anew. A stream that is
 * in the catalog was imported as a whole, or is where the file comes from: its batches are delivered, or
 * wait there, and nothing of it is touched.
 */
import type { BatchId, Chunk, SealedBatch } from '../batch.ts'
import type { AppendTarget } from '../batch-store.ts'
import type { StagingWriter } from '../staging.ts'
import { planImport } from './import-plan.ts'
import { surveyFile } from './survey.ts'
import type { SurveyedStream } from './survey.ts'
import { noCounts } from './transfer-file.ts'
import type { PartKind, PartOf, TransferCounts } from './transfer-file.ts'
import type { TransferPlace } from './transfer-place.ts'
import { TransferReader } from './transfer-reader.ts'

export interface ImportReport {
  /** What was entered, now or by an import before this that did not end. */
  readonly imported: TransferCounts
  /** Streams that were there, with their batches: those are delivered, or wait. */
  readonly knownStreamCount: number
  readonly knownBatchCount: number
}

/**
 * @param onProgress told after each batch
 * @throws TransferDamaged, AppendError, KeyUnavailable, or Error when something is in the way
 */
export async function importAll(
  place: TransferPlace,
  path: string,
  onProgress: (counts: TransferCounts) => void,
): Promise<ImportReport> {
  const survey = await surveyFile(path)
  const { created, known, found } = await planImport(place, survey)
  const importing = new Import(place, created, found)
  await importing.run(path, onProgress)
  await place.refuseService()
  for (const surveyed of created.values()) await importing.finish(surveyed)
  return {
    imported: importing.counts,
    knownStreamCount: known.length,
    knownBatchCount: known.reduce((sum, { batchIds }) => sum + batchIds.size, 0),
  }
}

class Import {
  readonly counts = noCounts()
  readonly #place: TransferPlace
  readonly #created: ReadonlyMap<string, SurveyedStream>
  /** Batches that an import before this one has left. */
  readonly #found: ReadonlyMap<BatchId, SealedBatch>

  constructor(
    place: TransferPlace,
    created: ReadonlyMap<string, SurveyedStream>,
    found: ReadonlyMap<BatchId, SealedBatch>,
  ) {
    this.#place = place
    this.#created = created
    this.#found = found
  }

  async run(path: string, onProgress: (counts: TransferCounts) => void): Promise<void> {
    await using reader = new TransferReader(path)
    for await (const part of reader.all('stream')) await this.#readStream(part, reader)
    for await (const part of reader.all('batch')) {
      await this.#readBatch(part, reader)
      onProgress(this.counts)
    }
    await reader.need('end')
  }

  /** Makes the stream known, once its books balance. */
  async finish({ stream, recordCount }: SurveyedStream): Promise<void> {
    const { catalog } = this.#place
    const { streamId, name } = stream
    const { accepted, made, delivered, dropped, errored, quarantined } =
      await catalog.books(streamId)
    const pendingCount = accepted + made - delivered - dropped - errored - quarantined
    if (pendingCount !== recordCount) {
      const counts = `${pendingCount} records pending, and there are ${recordCount}`
      throw new Error(`Cannot import stream ${name}: its books have ${counts}`)
    }
    if (stream.paused === true) await this.#place.pause(streamId)
    await catalog.createStream(stream)
    this.counts.streamCount += 1
  }

  async #readStream({ stream, books }: PartOf<'stream'>, reader: TransferReader): Promise<void> {
    const { catalogTransfer, store } = this.#place
    const { streamId } = stream
    const isWanted = this.#created.has(streamId)
    if (isWanted) await catalogTransfer.restoreBooks(streamId, books)
    for await (const { receipts } of reader.all('receipts')) {
      if (!isWanted) continue
      await catalogTransfer.restoreReceipts(streamId, receipts)
      this.counts.receiptCount += receipts.length
    }
    for await (const { parts } of reader.all('replays')) {
      if (!isWanted) continue
      await catalogTransfer.restoreReplays(streamId, parts)
      this.counts.replayCount += parts.length
    }
    for await (const { positions } of reader.all('positions')) {
      if (!isWanted) continue
      await store.restorePositions(streamId, positions)
      this.counts.positionCount += positions.length
    }
  }

  async #readBatch({ batch }: PartOf<'batch'>, reader: TransferReader): Promise<void> {
    const surveyed = this.#created.get(batch.streamId)
    if (surveyed === undefined) {
      await skip(reader, 'chunk', 'block', 'index', 'manifest')
      return
    }
    const sealed =
      this.#found.get(batch.batchId) ?? (await this.#makeBatch(batch, surveyed, reader))
    // What is left is of a batch that was found.
    await skip(reader, 'chunk')
    await this.#place.catalog.recordSealed(sealed)
    await this.#stage(sealed, reader)
    await this.#freeze(sealed, reader)
    this.counts.batchCount += 1
    this.counts.recordCount += batch.recordCount
    this.counts.dataBytes += batch.dataBytes
  }

  async #makeBatch(
    { batchId, dataBytes, sealReason }: PartOf<'batch'>['batch'],
    surveyed: SurveyedStream,
    reader: TransferReader,
  ): Promise<SealedBatch> {
    const { store } = this.#place
    const target = this.#target(surveyed, dataBytes)
    const isMade = await store.importBatch(target, batchId, chunksOf(reader), sealReason)
    const sealed = isMade ? this.#place.takeSealed(batchId) : undefined
    if (sealed === undefined) throw new Error(`Cannot import batch ${batchId}: it is known already`)
    return sealed
  }

  /** What an earlier import has left is replaced: it may be of an older file. */
  async #stage(batch: SealedBatch, reader: TransferReader): Promise<void> {
    const { store } = this.#place
    let writer: StagingWriter | undefined
    try {
      for await (const { kind, payload } of reader.all('block', 'index')) {
        writer ??= await store.stage(batch)
        if (kind === 'block') await writer.write(payload)
        else await writer.finish(payload)
      }
    } catch (error) {
      await writer?.abandon()
      throw error
    }
    if (writer === undefined && this.#found.has(batch.batchId)) await store.unstage(batch)
  }

  async #freeze(batch: SealedBatch, reader: TransferReader): Promise<void> {
    const { store } = this.#place
    const part = await reader.take('manifest')
    if (part !== undefined) await store.freeze(batch, part.manifest)
    else if (this.#found.has(batch.batchId)) await store.thaw(batch)
  }

  /** What is encrypted is so under the stream's key of today. */
  #target({ stream }: SurveyedStream, sizeBytesMax: number): AppendTarget {
    const { streamId, encryption } = stream
    const wrapped = encryption.status === 'ENABLED' ? encryption.wrappedDataKey : undefined
    return {
      streamId,
      sizeBytesMax,
      ageMsMax: 0,
      ...(wrapped !== undefined && {
        dataKey: { plain: this.#place.keyRing.unwrap(wrapped), wrapped },
      }),
    }
  }
}

/** The chunks of the batch that comes. */
async function* chunksOf(reader: TransferReader): AsyncGenerator<Chunk> {
  for await (const { kind: _kind, ...chunk } of reader.all('chunk')) yield chunk
}

async function skip(reader: TransferReader, ...kinds: readonly PartKind[]): Promise<void> {
  for await (const _part of reader.all(...kinds)) continue
}
