/**
 * Records for the host out of a shard's. What the Kinesis Producer Library has put together is taken
 * apart before everything else; its parts share the position of their whole.
 *
 * The library makes an aggregate for the shard that it believes its keys belong to. After a split an
 * aggregate may arrive in a shard that not all of its keys belong to: the library sees that by the answer
 * and sends the strays anew. So strays are dropped, as the Kinesis Client Library does; taken, they
 * would be delivered twice.
 */
import { hash } from 'node:crypto'
import type { JsonObject } from '../../base/json.ts'
import { kplUserRecords } from '../../processors/unpacking/kpl-aggregate.ts'
import type { KplRecord } from '../../processors/unpacking/kpl-aggregate.ts'
import type { SourceRecord } from '../../source.ts'
import type { KinesisRecord, Shard } from './kinesis-service.ts'

export function* sourceRecords(
  shard: Shard,
  record: KinesisRecord,
  wantsMetadata: boolean,
): Generator<SourceRecord> {
  const position = record.sequenceNumber
  const parts = kplUserRecords(record.data)
  if (parts === undefined) {
    const { data, partitionKey } = record
    const metadata = wantsMetadata ? metadataOf(shard, record, partitionKey, 0) : undefined
    yield { data, position, ...metadata }
    return
  }
  for (const [index, part] of parts.entries()) {
    if (!belongsTo(shard, part)) continue
    const metadata = wantsMetadata ? metadataOf(shard, record, part.partitionKey, index) : undefined
    yield { data: part.data, position, ...metadata }
  }
}

function belongsTo({ hashKeys }: Shard, { partitionKey, explicitHashKey }: KplRecord): boolean {
  const isGiven = explicitHashKey !== undefined && /^\d+$/.test(explicitHashKey)
  const hashKey = BigInt(isGiven ? explicitHashKey : `0x${hash('md5', partitionKey)}`)
  return hashKey >= hashKeys.first && hashKey <= hashKeys.last
}

function metadataOf(
  { shardId }: Shard,
  { sequenceNumber, arrivedAtMs }: KinesisRecord,
  partitionKey: string,
  subsequenceNumber: number,
): { readonly metadata: JsonObject } {
  return {
    metadata: {
      kinesisRecordMetadata: {
        shardId,
        partitionKey,
        sequenceNumber,
        subsequenceNumber,
        approximateArrivalTimestamp: arrivedAtMs,
      },
    },
  }
}
