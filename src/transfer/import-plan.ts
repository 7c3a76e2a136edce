import type { BatchId, SealedBatch } from '../batch.ts'
import type { Survey, SurveyedStream } from './survey.ts'
import type { TransferPlace } from './transfer-place.ts'

export interface ImportPlan {
  /** By id: streams that are to be made. */
  readonly created: ReadonlyMap<string, SurveyedStream>
  /** Streams that are there, and nothing of them is missing. */
  readonly known: readonly SurveyedStream[]
  /** Batches of streams to be made that are there: an import before this one did not end. */
  readonly found: ReadonlyMap<BatchId, SealedBatch>
}

/**
 * What there is to do. Changes nothing.
 * @throws KeyUnavailable, or Error that says what is in the way
 */
export async function planImport(place: TransferPlace, survey: Survey): Promise<ImportPlan> {
  const { created, known } = await divide(place, survey)
  for (const surveyed of created.values()) {
    const { wrappedDataKey } = surveyed.stream.encryption
    if (wrappedDataKey !== undefined) place.keyRing.unwrap(wrappedDataKey)
    await refuseFurther(place, surveyed)
  }
  const found = new Map<BatchId, SealedBatch>()
  const waiting = new Set<BatchId>()
  for await (const batch of place.store.list()) {
    const surveyed = created.get(batch.streamId)
    if (surveyed === undefined) waiting.add(batch.batchId)
    else if (surveyed.batchIds.has(batch.batchId)) found.set(batch.batchId, batch)
    else throw notInFile(surveyed, batch)
  }
  for (const surveyed of known) await refuseUnaccounted(place, surveyed, waiting)
  return { created, known, found }
}

async function divide({ catalog }: TransferPlace, survey: Survey) {
  const names = new Map((await catalog.streams()).map(({ name, streamId }) => [name, streamId]))
  const created = new Map<string, SurveyedStream>()
  const known: SurveyedStream[] = []
  for (const surveyed of survey.streams) {
    const { name, streamId } = surveyed.stream
    const idThere = names.get(name)
    if (idThere === undefined) created.set(streamId, surveyed)
    else if (idThere === streamId) known.push(surveyed)
    else throw new Error(`Cannot import stream ${name}: another stream of that name is there`)
  }
  return { created, known }
}

/**
 * An import of a newer file has left how far that was read: what the older one has not and its batches
 * don't hold would never be read again.
 */
async function refuseFurther(
  { store }: TransferPlace,
  { stream, sequences }: SurveyedStream,
): Promise<void> {
  for (const { partition, sequence } of await store.positions(stream.streamId)) {
    if (sequence <= (sequences.get(partition) ?? 0)) continue
    throw new Error(
      `Cannot import stream ${stream.name}: its source is read further there than the file has it; ` +
        'import into a place that is empty',
    )
  }
}

/** It was left by an import of an older file, and may have been delivered elsewhere since. */
function notInFile({ stream }: SurveyedStream, { batchId }: SealedBatch): Error {
  return new Error(
    `Cannot import stream ${stream.name}: batch ${batchId} of it is there that is not in the file; ` +
      'import into a place that is empty',
  )
}

/** What was delivered is never made again, also where its receipt is forgotten. */
async function refuseUnaccounted(
  { catalogTransfer }: TransferPlace,
  { stream, batchIds }: SurveyedStream,
  waiting: ReadonlySet<BatchId>,
): Promise<void> {
  for (const batchId of batchIds) {
    if (waiting.has(batchId)) continue
    if (await catalogTransfer.hasReceipt(stream.streamId, batchId)) continue
    throw new Error(
      `Cannot import stream ${stream.name}: it is there already, and of batch ${batchId} there is ` +
        'neither anything left nor a receipt, so that nobody can tell whether it was delivered',
    )
  }
}
