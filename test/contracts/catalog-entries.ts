/** Streams, batches and receipts for the tests of catalogs, each under ids of its own. */
import { systemClock } from '../../src/base/clock.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Accounting } from '../../src/manifest.ts'
import type { Receipt, ReceiptOutput } from '../../src/receipt.ts'

export const NOW_MS = 1_783_952_116_000
export const ids = new BatchIds(systemClock)

export const makeStream = (name: string): DeliveryStream => ({
  streamId: ids.next(),
  name,
  arn: `arn:aws:firehose:us-east-1:000000000000:deliverystream/${name}`,
  status: 'ACTIVE',
  type: 'DirectPut',
  createdAtMs: NOW_MS,
  versionId: 1,
  revision: 1,
  tags: [{ Key: 'team', Value: 'größe' }],
  encryption: { status: 'DISABLED' },
  destinationType: 'ExtendedS3',
  destination: { BucketARN: 'arn:aws:s3:::b', Prefix: "it's/" },
})

export const makeBatch = (streamId: string): SealedBatch => ({
  batchId: ids.next(),
  streamId,
  recordCount: 10,
  dataBytes: 1_000,
  storedBytes: 3_000,
  firstArrivalMs: NOW_MS,
  lastArrivalMs: NOW_MS,
  sealedAtMs: NOW_MS,
  sealReason: 'age',
})

export function makeReceipt(batch: SealedBatch, facts: Partial<Receipt> = {}): Receipt {
  return {
    batchId: batch.batchId,
    streamId: batch.streamId,
    streamName: 'name',
    recordCount: batch.recordCount,
    dataBytes: batch.dataBytes,
    firstArrivalMs: batch.firstArrivalMs,
    sealedAtMs: batch.sealedAtMs,
    deliveredAtMs: NOW_MS + 1_000,
    attempts: 1,
    outputs: [makeOutput('delivered', batch.recordCount)],
    droppedCount: 0,
    quarantinedCount: 0,
    ...facts,
  }
}

export function makeOutput(accounting: Accounting, recordCount: number): ReceiptOutput {
  return {
    kind: 'object',
    target: { key: 'a/b' },
    accounting,
    recordCount,
    attempts: 1,
    sizeBytes: 1,
  }
}
