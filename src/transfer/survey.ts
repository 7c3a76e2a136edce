import type { BatchId } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Books } from '../receipt.ts'
import { noCounts, TransferDamaged } from './transfer-file.ts'
import type { PartOf, TransferCounts } from './transfer-file.ts'
import { TransferReader } from './transfer-reader.ts'

/** A stream as a file has it. */
export interface SurveyedStream {
  readonly stream: DeliveryStream
  /** What is settled. */
  readonly books: Books
  readonly batchIds: ReadonlySet<BatchId>
  /** By partition of its source: sequence of the last chunk read. */
  readonly sequences: ReadonlyMap<string, number>
  /** Of the batches. */
  readonly recordCount: number
}

export interface Survey {
  readonly streams: readonly SurveyedStream[]
  readonly counts: TransferCounts
}

interface GrowingStream extends SurveyedStream {
  readonly batchIds: Set<BatchId>
  readonly sequences: Map<string, number>
  recordCount: number
}

/**
 * Reads a file from one end to the other: what is in it, if all of it is whole and where it should be.
 * @throws TransferDamaged, or the system's error
 */
export async function surveyFile(path: string): Promise<Survey> {
  await using reader = new TransferReader(path)
  const streams = new Map<string, GrowingStream>()
  const counts = noCounts()
  for await (const { stream, books } of reader.all('stream')) {
    const batchIds = new Set<BatchId>()
    const sequences = new Map<string, number>()
    streams.set(stream.streamId, { stream, books, batchIds, sequences, recordCount: 0 })
    counts.streamCount += 1
    for await (const { receipts } of reader.all('receipts')) counts.receiptCount += receipts.length
    for await (const { parts } of reader.all('replays')) counts.replayCount += parts.length
    for await (const { positions } of reader.all('positions')) {
      counts.positionCount += positions.length
      for (const { partition, sequence } of positions) sequences.set(partition, sequence)
    }
  }
  for await (const { batch } of reader.all('batch')) {
    const stream = streams.get(batch.streamId)
    if (stream === undefined) throw new TransferDamaged(`batch ${batch.batchId} has no stream`)
    await surveyBatch(batch, reader)
    stream.batchIds.add(batch.batchId)
    stream.recordCount += batch.recordCount
    counts.batchCount += 1
    counts.recordCount += batch.recordCount
    counts.dataBytes += batch.dataBytes
  }
  const end = await reader.need('end')
  if (!(await reader.isAtEnd())) throw new TransferDamaged('it goes on after its end')
  if (!isEqual({ ...noCounts(), ...end.counts }, counts))
    throw new TransferDamaged('its counts are wrong')
  return { streams: [...streams.values()], counts }
}

async function surveyBatch(
  { batchId, recordCount }: PartOf<'batch'>['batch'],
  reader: TransferReader,
): Promise<void> {
  let foundCount = 0
  for await (const chunk of reader.all('chunk')) foundCount += chunk.recordCount
  if (foundCount !== recordCount) throw new TransferDamaged(`batch ${batchId} is not whole`)
  let blockCount = 0
  for await (const _block of reader.all('block')) blockCount += 1
  const index = await reader.take('index')
  if (blockCount > 0 && index === undefined) {
    throw new TransferDamaged(`what is staged of batch ${batchId} is not whole`)
  }
  await reader.take('manifest')
}

function isEqual(one: TransferCounts, other: TransferCounts): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
