/** What every Catalog must do. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { CatalogConflict } from '../../src/catalog.ts'
import type { Catalog } from '../../src/catalog.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Accounting } from '../../src/manifest.ts'
import type { Receipt, ReceiptOutput } from '../../src/receipt.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'
import { systemClock } from '../../src/base/clock.ts'

export interface CatalogUnderTest extends AsyncDisposable {
  readonly catalog: Catalog
  /** The catalog as the next process finds it. */
  restart(): Promise<CatalogUnderTest>
}

export type OpenCatalog = () => Promise<CatalogUnderTest>

const NOW_MS = 1_783_952_116_000

export function catalogContract(name: string, open: OpenCatalog): void {
  const ids = new BatchIds(systemClock)
  const makeStream = (name: string): DeliveryStream => ({
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
  const makeBatch = (streamId: string): SealedBatch => ({
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
  test(`${name}: streams are kept over a restart, in the order of their names`, async () => {
    await using tested = await open()
    const [b, a, upper] = [makeStream('b'), makeStream('a'), makeStream('B')]
    for (const stream of [b, a, upper]) await tested.catalog.createStream(stream)
    await using restarted = await tested.restart()
    expect(await restarted.catalog.streams()).toEqual([upper, a, b])
  })

  test(`${name}: of two streams with one name the second is refused`, async () => {
    await using tested = await open()
    const stream = makeStream('logs')
    await tested.catalog.createStream(stream)
    await expect(tested.catalog.createStream(makeStream('logs'))).rejects.toThrow(CatalogConflict)
    expect(await tested.catalog.streams()).toEqual([stream])
  })

  test(`${name}: a stream is replaced at the revision that was read, and only there`, async () => {
    await using tested = await open()
    const stream = makeStream('logs')
    await tested.catalog.createStream(stream)
    const changed = { ...stream, versionId: 2 }
    expect(await tested.catalog.replaceStream(changed)).toEqual({ ...changed, revision: 2 })
    await expect(tested.catalog.replaceStream(changed)).rejects.toThrow(CatalogConflict)
    await expect(tested.catalog.replaceStream(makeStream('other'))).rejects.toThrow(CatalogConflict)
    await using restarted = await tested.restart()
    expect(await restarted.catalog.streams()).toEqual([{ ...changed, revision: 2 }])
  })

  test(`${name}: a deleted stream takes receipts and books along, and frees its name`, async () => {
    await using tested = await open()
    const stream = makeStream('logs')
    await tested.catalog.createStream(stream)
    const batch = makeBatch(stream.streamId)
    await tested.catalog.recordSealed(makeBatch(stream.streamId))
    await tested.catalog.recordReceipt(makeReceipt(batch))
    await tested.catalog.deleteStream(stream.streamId)
    await tested.catalog.deleteStream(stream.streamId)
    expect(await tested.catalog.streams()).toEqual([])
    expect(await tested.catalog.receipt(batch.batchId)).toBe(undefined)
    expect(await tested.catalog.books(stream.streamId)).toEqual(EMPTY_BOOKS)
    await tested.catalog.createStream(makeStream('logs'))
  })

  test(`${name}: a sealed batch counts once as accepted, however often it is entered`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batch = makeBatch(streamId)
    await Promise.all([tested.catalog.recordSealed(batch), tested.catalog.recordSealed(batch)])
    await using restarted = await tested.restart()
    await restarted.catalog.recordSealed(batch)
    await restarted.catalog.recordReceipt(makeReceipt(batch))
    await restarted.catalog.recordSealed(batch)
    expect(await restarted.catalog.books(streamId)).toEqual({
      ...EMPTY_BOOKS,
      accepted: 10,
      delivered: 10,
    })
  })

  test(`${name}: a receipt is entered into the books by what became of the records`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batch = makeBatch(streamId)
    const receipt = makeReceipt(batch, {
      outputs: [
        output('delivered', 3),
        output('delivered', 1),
        output('errored', 2),
        output('copy', 10),
      ],
      droppedCount: 1,
      madeCount: 2,
      quarantinedCount: 5,
    })
    await tested.catalog.recordReceipt(receipt)
    await using restarted = await tested.restart()
    expect(await restarted.catalog.receipt(batch.batchId)).toEqual(receipt)
    expect(await restarted.catalog.books(streamId)).toEqual({
      accepted: 10,
      made: 2,
      delivered: 4,
      dropped: 1,
      errored: 2,
      quarantined: 5,
    })
  })

  test(`${name}: records made sum up, and those merged away are taken off`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    for (const madeCount of [7, -3]) {
      const outputs = [output('delivered', 10 + madeCount)]
      const receipt = makeReceipt(makeBatch(streamId), { madeCount, outputs })
      await tested.catalog.recordReceipt(receipt)
      await tested.catalog.recordReceipt(receipt)
    }
    await tested.catalog.recordReceipt(makeReceipt(makeBatch(streamId)))
    expect(await tested.catalog.books(streamId)).toEqual({
      ...EMPTY_BOOKS,
      accepted: 30,
      made: 4,
      delivered: 34,
    })
  })

  test(`${name}: a second receipt for a batch is ignored`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batch = makeBatch(streamId)
    const receipt = makeReceipt(batch)
    await Promise.all([
      tested.catalog.recordReceipt(receipt),
      tested.catalog.recordReceipt({ ...receipt, attempts: 2 }),
    ])
    await tested.catalog.recordReceipt({ ...receipt, attempts: 3 })
    expect(await tested.catalog.receipt(batch.batchId)).toEqual(receipt)
    expect(await tested.catalog.books(streamId)).toEqual({
      ...EMPTY_BOOKS,
      accepted: 10,
      delivered: 10,
    })
  })

  test(`${name}: the books of one stream know nothing of another's`, async () => {
    await using tested = await open()
    const [one, other] = [ids.next(), ids.next()]
    await Promise.all([
      tested.catalog.recordSealed(makeBatch(one)),
      tested.catalog.recordSealed(makeBatch(one)),
      tested.catalog.recordSealed(makeBatch(other)),
    ])
    expect(await tested.catalog.books(one)).toEqual({ ...EMPTY_BOOKS, accepted: 20 })
    expect(await tested.catalog.books(other)).toEqual({ ...EMPTY_BOOKS, accepted: 10 })
    expect(await tested.catalog.books(ids.next())).toEqual(EMPTY_BOOKS)
  })

  test(`${name}: the latest receipts of a stream come newest first`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const receipts = [3, 1, 2].map((second) =>
      makeReceipt(makeBatch(streamId), { deliveredAtMs: NOW_MS + second }),
    )
    for (const receipt of receipts) await tested.catalog.recordReceipt(receipt)
    await tested.catalog.recordReceipt(makeReceipt(makeBatch(ids.next())))
    expect(await tested.catalog.latestReceipts(streamId, 2)).toEqual([receipts[0], receipts[2]])
  })

  test(`${name}: old receipts are forgotten, and the books keep them`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const [old, young] = [NOW_MS, NOW_MS + 1].map((deliveredAtMs) =>
      makeReceipt(makeBatch(streamId), { deliveredAtMs }),
    )
    await tested.catalog.recordReceipt(old as Receipt)
    await tested.catalog.recordReceipt(young as Receipt)
    await tested.catalog.pruneReceipts(NOW_MS + 1)
    expect(await tested.catalog.latestReceipts(streamId, 10)).toEqual([young])
    expect(await tested.catalog.books(streamId)).toMatchObject({ delivered: 20 })
  })

  test(`${name}: replayed parts are kept by stream and source, in their order`, async () => {
    await using tested = await open()
    const [one, other] = [ids.next(), ids.next()]
    const makePart = (streamId: string, source: string, records: string) => ({
      streamId,
      source,
      batchId: ids.next(),
      range: { from: 1_000, to: 1_008 },
      records,
    })
    const parts = [
      makePart(one, 'bucket/a', 'AQ=='),
      makePart(one, 'bucket/a', 'Ag=='),
      makePart(one, 'bucket/b', 'BA=='),
      makePart(other, 'bucket/a', 'CA=='),
    ]
    for (const part of parts) await tested.catalog.recordReplay(part)
    await using restarted = await tested.restart()
    expect(await restarted.catalog.replayedParts(one, 'bucket/a')).toEqual([
      { ...parts[0], imported: false },
      { ...parts[1], imported: false },
    ])
    expect(await restarted.catalog.replayedParts(other, 'bucket/b')).toEqual([])
    await restarted.catalog.deleteStream(one)
    expect(await restarted.catalog.replayedParts(one, 'bucket/a')).toEqual([])
    expect(await restarted.catalog.replayedParts(other, 'bucket/a')).toHaveLength(1)
  })

  test(`${name}: a replayed part is imported once its batch is accepted, and stays so`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batches = [makeBatch(streamId), makeBatch(streamId), makeBatch(streamId)]
    for (const { batchId } of batches) {
      const part = { streamId, source: 'b/k', batchId, records: 'AQ==' }
      await tested.catalog.recordReplay({ ...part, range: { from: 0, to: 1 } })
    }
    const [accepted, delivered] = batches as [SealedBatch, SealedBatch, SealedBatch]
    await tested.catalog.recordSealed(accepted)
    await tested.catalog.recordReceipt(makeReceipt(delivered))
    await tested.catalog.pruneReceipts(Infinity)
    await using restarted = await tested.restart()
    const parts = await restarted.catalog.replayedParts(streamId, 'b/k')
    expect(parts.map(({ imported }) => imported)).toEqual([true, true, false])
    expect(await restarted.catalog.replayedPart(accepted.batchId)).toEqual(parts[0])
    expect(await restarted.catalog.replayedPart(ids.next())).toBe(undefined)
  })

  test(`${name}: what was asked for before closing is done`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const recorded = tested.catalog.recordSealed(makeBatch(streamId))
    await using restarted = await tested.restart()
    await recorded
    expect(await restarted.catalog.books(streamId)).toMatchObject({ accepted: 10 })
  })
}

function makeReceipt(batch: SealedBatch, facts: Partial<Receipt> = {}): Receipt {
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
    outputs: [output('delivered', batch.recordCount)],
    droppedCount: 0,
    quarantinedCount: 0,
    ...facts,
  }
}

function output(accounting: Accounting, recordCount: number): ReceiptOutput {
  return {
    kind: 'object',
    target: { key: 'a/b' },
    accounting,
    recordCount,
    attempts: 1,
    sizeBytes: 1,
  }
}
