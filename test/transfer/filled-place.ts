/** A place with something of everything that there is to move, and what there is to see of it. */
import { systemClock } from '../../src/base/clock.ts'
import { BatchIds } from '../../src/batch.ts'
import type { BatchId, SealedBatch } from '../../src/batch.ts'
import type { AppendTarget } from '../../src/batch-store.ts'
import type { ChunkOrigin, PartitionPosition } from '../../src/chunk-origin.ts'
import { chunkMetadata, chunkOf, recordsOf, withMetadata } from '../../src/chunk.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import type { Manifest } from '../../src/manifest.ts'
import type { Receipt } from '../../src/receipt.ts'
import type { TransferPlace } from '../../src/transfer/transfer-place.ts'

export const SSE_KEY = Buffer.alloc(32, 7).toString('base64')
const NOW_MS = 1_783_952_116_000
const ids = new BatchIds(systemClock)

/** What is filled in, by stream. */
export interface Filled {
  readonly plain: DeliveryStream
  readonly encrypted: DeliveryStream
  /** Of a source that is read in part. */
  readonly paused: DeliveryStream
  /** Of `plain`, in the order of their births: pending, frozen, staged. */
  readonly batches: readonly [SealedBatch, SealedBatch, SealedBatch]
}

export async function fill(place: TransferPlace): Promise<Filled> {
  const dataKey = LocalKeyRing.fromSetting(SSE_KEY, systemClock).makeDataKey()
  const plain = makeStream('plain')
  const paused = makeStream('paused', {
    paused: true,
    type: 'KinesisStreamAsSource',
    source: { KinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/größe' },
  })
  const encrypted = makeStream('encrypted', {
    encryption: {
      status: 'ENABLED',
      keyType: 'AWS_OWNED_CMK',
      wrappedDataKey: dataKey.wrapped,
      changedAtMs: [NOW_MS],
    },
  })
  for (const stream of [plain, encrypted, paused]) await place.catalog.createStream(stream)

  const pending = await seal(place, { ...targetOf(plain), sizeBytesMax: 1_000_000 }, [
    ['a', 'bc', ''],
    ['d'.repeat(5_000)],
  ])
  const frozen = await seal(place, targetOf(plain), [['frozen 1', 'frozen 2']])
  await place.store.freeze(frozen, manifestOf(frozen))
  const staged = await seal(place, targetOf(plain), [['staged 1', 'staged 2'], ['staged 3']])
  const writer = await place.store.stage(staged)
  for (const block of ['block 0', '', 'block 2'.repeat(100_000)]) {
    await writer.write(Buffer.from(block))
  }
  await writer.finish(Buffer.from('index'))
  await place.store.freeze(staged, { ...manifestOf(staged), thawed: { attempts: 3 } })
  const secret = await seal(place, { ...targetOf(encrypted), dataKey }, [['secret 1', 'secret 2']])
  const secretWriter = await place.store.stage(secret)
  await secretWriter.finish(Buffer.from('staged secret'))
  await readSource(place, targetOf(paused))

  const receipts = Array.from({ length: 120 }, (_, order) => receiptOf(plain, order))
  await Promise.all(receipts.map((receipt) => place.catalog.recordReceipt(receipt)))
  for (const source of ['bucket/a', 'bucket/b']) {
    const part = { streamId: plain.streamId, source, batchId: ids.next(), records: '0-2' }
    await place.catalog.recordReplay({ ...part, range: { from: 0, to: 3 } }, 0)
  }
  return { plain, encrypted, paused, batches: [pending, frozen, staged] }
}

/** All that is in a place, in plain values; but for what depends on where it is. */
export async function contentsOf(place: TransferPlace) {
  const streams = await place.catalog.streams()
  const catalog = await Promise.all(
    streams.map(async (stream) => ({
      stream,
      books: await place.catalog.books(stream.streamId),
      positions: byPartition(await place.store.positions(stream.streamId)),
      receipts: await gathered(place.catalogTransfer.receipts(stream.streamId)),
      replays: await gathered(place.catalogTransfer.replays(stream.streamId)),
    })),
  )
  const batches = []
  for await (const batch of place.store.list()) batches.push(await batchContents(place, batch))
  return {
    catalog,
    batches: batches.toSorted((one, other) => (one.batchId < other.batchId ? -1 : 1)),
  }
}

export type PlaceContents = Awaited<ReturnType<typeof contentsOf>>

async function batchContents({ store }: TransferPlace, batch: SealedBatch) {
  const { storedBytes: _stored, sealedAtMs: _sealed, lane: _lane, ...facts } = batch
  const chunks = []
  for await (const chunk of store.read(batch)) {
    const { arrivalMs, firstOrdinal } = chunk
    const records = [...recordsOf(chunk)].map(String)
    chunks.push({ arrivalMs, firstOrdinal, records, metadata: chunkMetadata(chunk) })
  }
  const found = await store.staged(batch)
  const staged = found && {
    index: found.index.toString(),
    blocks: await Promise.all(
      Array.from({ length: found.blockCount }, async (_, block) => String(await found.read(block))),
    ),
  }
  await found?.close()
  return { ...facts, chunks, manifest: await store.manifest(batch), staged }
}

/** What was read of a source, told of as it is; and a request that is known, as it is of today. */
async function readSource(place: TransferPlace, target: AppendTarget): Promise<void> {
  const append = (record: string, arrivalMs: number, origin: ChunkOrigin) => {
    const chunk = withMetadata(chunkOf([Buffer.from(record)], arrivalMs), [{ größe: record }])
    return place.store.append(target, { ...chunk, origin })
  }
  await append('read', NOW_MS, { partition: 'shard 0', sequence: 1, position: '49' })
  await append('read, too', NOW_MS, { partition: 'shard 0', sequence: 2, position: '50' })
  await append('read', NOW_MS + 0.5, { partition: 'shard 1', sequence: 1, position: 'größe' })
  const request = { partition: 'request', sequence: 1, position: '', passing: true } as const
  const { batchId } = await append('asked', systemClock.nowMs(), request)
  await sealOpen(place, target.streamId, batchId)
}

/** Of the paused stream's source more is read than was when the place was filled. */
export function readOn({ store }: TransferPlace, { paused }: Filled): Promise<void> {
  const position = { partition: 'shard 0', sequence: 3, position: '51', atMs: NOW_MS }
  return store.restorePositions(paused.streamId, [position])
}

/** Delivers a batch, as far as the place can tell. */
export async function deliver(place: TransferPlace, batch: SealedBatch): Promise<void> {
  const { batchId, recordCount } = batch
  const stream = (await place.catalog.streams()).find(({ streamId }) => streamId === batch.streamId)
  const receipt = receiptOf(stream as DeliveryStream, 1_000)
  const outputs = receipt.outputs.map((output) => ({ ...output, recordCount }))
  await place.catalog.recordReceipt(
    { ...receipt, batchId, recordCount, droppedCount: 0, outputs },
    batch,
  )
  await place.store.remove(batch)
}

/** Seals a batch of these records, each list a chunk. */
export async function seal(
  place: TransferPlace,
  target: AppendTarget,
  chunks: readonly (readonly string[])[],
): Promise<SealedBatch> {
  let batchId = ''
  for (const [index, records] of chunks.entries()) {
    const chunk = chunkOf(
      records.map((record) => Buffer.from(record)),
      NOW_MS + index + 0.5,
    )
    batchId = (await place.store.append(target, chunk)).batchId
  }
  return sealOpen(place, target.streamId, batchId)
}

async function sealOpen(
  { store, catalog }: TransferPlace,
  streamId: string,
  batchId: BatchId,
): Promise<SealedBatch> {
  await store.seal(streamId, 'flush')
  for await (const batch of store.list()) {
    if (batch.batchId !== batchId) continue
    await catalog.recordSealed(batch)
    return batch
  }
  throw new Error('Cannot seal: the batch is not there')
}

export function targetOf({ streamId }: DeliveryStream): AppendTarget {
  return { streamId, sizeBytesMax: 1_000_000, ageMsMax: 600_000 }
}

export function makeStream(name: string, facts: Partial<DeliveryStream> = {}): DeliveryStream {
  return {
    streamId: ids.next(),
    name,
    arn: `arn:aws:firehose:us-east-1:000000000000:deliverystream/${name}`,
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: NOW_MS,
    versionId: 3,
    revision: 7,
    tags: [{ Key: 'team', Value: 'größe' }],
    encryption: { status: 'DISABLED' },
    destinationType: 'ExtendedS3',
    destination: { BucketARN: 'arn:aws:s3:::b', Prefix: "it's/" },
    ...facts,
  }
}

function manifestOf({ batchId, recordCount }: SealedBatch): Manifest {
  return {
    batchId,
    versionId: 3,
    destinationType: 'ExtendedS3',
    destination: { BucketARN: 'arn:aws:s3:::b' },
    frozenAtMs: NOW_MS,
    outputs: [
      {
        kind: 'data',
        target: { bucket: 'b', key: 'größe' },
        accounting: 'delivered',
        recordCount,
        sizeBytes: 10,
        sha256: 'ab',
        formerSha256s: ['cd'],
        progress: {
          attempts: 1,
          lastAttemptAtMs: NOW_MS,
          refused: [
            { ordinal: 0, errorCode: 'X', errorMessage: 'Y', attempts: 1, atMs: NOW_MS },
            { ordinal: 1, errorCode: 'X', errorMessage: 'Y', attempts: 1, atMs: NOW_MS },
          ],
        },
      },
    ],
    droppedCount: 0,
    quarantinedCount: 0,
  }
}

/** Three records of which one was split in two, and one dropped. */
function receiptOf({ streamId, name }: DeliveryStream, order: number): Receipt {
  const output = { kind: 'data', target: { key: `${order}` }, attempts: 1, sizeBytes: 9 }
  return {
    batchId: ids.next(),
    streamId,
    streamName: name,
    recordCount: 3,
    dataBytes: 30,
    firstArrivalMs: NOW_MS,
    sealedAtMs: NOW_MS,
    deliveredAtMs: NOW_MS + order,
    attempts: 1,
    outputs: [{ ...output, accounting: 'delivered', recordCount: 3 }],
    droppedCount: 1,
    madeCount: 1,
    quarantinedCount: 0,
  }
}

async function gathered<Item extends { readonly batchId: string }>(
  pages: AsyncIterable<readonly Item[]>,
): Promise<Item[]> {
  const items: Item[] = []
  for await (const page of pages) items.push(...page)
  return items.toSorted((one, other) => (one.batchId < other.batchId ? -1 : 1))
}

/** Their order is not for anybody to rely on. */
function byPartition(positions: readonly PartitionPosition[]): PartitionPosition[] {
  return positions.toSorted((one, other) => (one.partition < other.partition ? -1 : 1))
}
