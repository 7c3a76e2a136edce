/**
 * What of a fetched partition is records of ours.
 *
 * A fetch answers with whole batches, so with records from before the offset asked for; with control
 * batches, the ends of transactions, which take an offset each and are no records; and with the records of
 * transactions that were aborted, beside a list of these. Such records lie between the first offset that
 * the list names for their producer and its next abort marker, which may be in a later answer. Offsets have
 * gaps where these were, and where a topic was compacted.
 *
 * The client's own filter forgets all but the last aborted transaction of a producer, and those whose end
 * is in a later answer; what it leaves is filtered here.
 */
import type { RecordsBatch } from '@platformatic/kafka'
import type { JsonObject } from '../../base/json.ts'
import type { SourceRecord } from '../../source.ts'
import { formatPosition } from './position.ts'

export interface FetchedPartition {
  readonly records?: readonly RecordsBatch[] | null
  readonly abortedTransactions?: readonly AbortedTransaction[] | null
}

interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface Reading {
  /** The first offset that is wanted. */
  readonly from: bigint
  readonly partition: string
  readonly topicId: string | undefined
  readonly wantsMetadata: boolean
}

/** Bits of a batch's attributes. */
const LOG_APPEND_TIME = 1 << 3
const CONTROL = 1 << 5
const ABORT_MARKER = 0
/** A record without a value, by which a compacted topic deletes a key, is an empty one. */
const EMPTY = Buffer.alloc(0)

/** @returns the records, and the offset behind all that was fetched */
export function readFetched(
  fetched: FetchedPartition,
  reading: Reading,
): { readonly records: readonly SourceRecord[]; readonly next: bigint } {
  const records: SourceRecord[] = []
  let next = reading.from
  for (const batch of committedBatches(fetched)) {
    const behind = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
    if (behind <= reading.from) continue
    next = behind
    if ((batch.attributes & CONTROL) !== 0) continue
    // Numbers, for each record passes here; an offset is far below 2^53.
    const firstOffset = Number(batch.firstOffset)
    for (const record of batch.records) {
      const offset = firstOffset + record.offsetDelta
      if (offset < reading.from) continue
      const data = record.value ?? EMPTY
      const position = formatPosition(offset, reading.topicId)
      if (reading.wantsMetadata) {
        records.push({ data, position, metadata: metadataOf(batch, record, offset, reading) })
      } else {
        records.push({ data, position })
      }
    }
  }
  return { records, next }
}

/** All batches but those of aborted transactions; the markers are among them. */
function* committedBatches(fetched: FetchedPartition): Generator<RecordsBatch> {
  const aborted = (fetched.abortedTransactions ?? []).toSorted((one, other) =>
    Number(one.firstOffset - other.firstOffset),
  )
  const aborting = new Set<bigint>()
  for (const batch of fetched.records ?? []) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    while (aborted[0] !== undefined && aborted[0].firstOffset <= last) {
      aborting.add(aborted[0].producerId)
      aborted.shift()
    }
    if ((batch.attributes & CONTROL) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT_MARKER) aborting.delete(batch.producerId)
      yield batch
    } else if (aborting.has(batch.producerId)) {
      yield { ...batch, records: [] }
    } else {
      yield batch
    }
  }
}

function metadataOf(
  batch: RecordsBatch,
  record: RecordsBatch['records'][number],
  offset: number,
  { partition }: Reading,
): JsonObject {
  const arrivedAt =
    (batch.attributes & LOG_APPEND_TIME) === 0
      ? batch.firstTimestamp + record.timestampDelta
      : batch.maxTimestamp
  return {
    mskRecordMetadata: {
      offset: String(offset),
      partitionId: partition,
      approximateArrivalTimestamp: Number(arrivedAt),
      ...(record.key !== null && { key: record.key.toString('base64') }),
      headers: record.headers.map(([key, value]) => ({
        key: key?.toString() ?? '',
        value: value?.toString('base64') ?? null,
      })),
    },
  }
}
