/** What every CatalogTransfer must do. */
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { CatalogTransfer } from '../../src/catalog-transfer.ts'
import type { Catalog, KnownReplayedPart } from '../../src/catalog.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Books, Receipt } from '../../src/receipt.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'

export interface CatalogTransferUnderTest extends AsyncDisposable {
  readonly catalog: Catalog
  readonly transfer: CatalogTransfer
}

const NOW_MS = 1_783_952_116_000
const BOOKS: Books = {
  accepted: 115,
  made: 5,
  delivered: 100,
  dropped: 10,
  errored: 7,
  quarantined: 3,
}

export function catalogTransferContract(
  name: string,
  open: () => Promise<CatalogTransferUnderTest>,
): void {
  const ids = new BatchIds(systemClock)
  const makeReceipt = (streamId: string, order: number): Receipt => ({
    batchId: ids.next(),
    streamId,
    streamName: 'logs',
    recordCount: 10,
    dataBytes: 1_000,
    firstArrivalMs: NOW_MS,
    sealedAtMs: NOW_MS,
    deliveredAtMs: NOW_MS + order,
    attempts: 1,
    outputs: [],
    droppedCount: 10,
    quarantinedCount: 0,
  })
  const makePart = (
    streamId: string,
    source: string,
    from: number,
    imported: boolean,
  ): KnownReplayedPart => ({
    streamId,
    source,
    batchId: ids.next(),
    range: { from, to: from + 10 },
    records: '0-9',
    imported,
  })
  const batchOf = (batchId: string, streamId: string): SealedBatch => ({
    batchId,
    streamId,
    recordCount: 10,
    dataBytes: 1_000,
    storedBytes: 3_000,
    firstArrivalMs: NOW_MS,
    lastArrivalMs: NOW_MS,
    sealedAtMs: NOW_MS,
    sealReason: 'age',
  })

  test(`${name}: books are as they were restored, and go on from there`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    await tested.transfer.restoreBooks(streamId, BOOKS)
    expect(await tested.catalog.books(streamId)).toEqual(BOOKS)
    await tested.catalog.recordSealed(batchOf(ids.next(), streamId))
    expect(await tested.catalog.books(streamId)).toEqual({ ...BOOKS, accepted: 125 })
  })

  test(`${name}: to restore books again forgets what was entered since`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batch = batchOf(ids.next(), streamId)
    await tested.transfer.restoreBooks(streamId, BOOKS)
    await tested.catalog.recordSealed(batch)
    await tested.transfer.restoreReceipts(streamId, [makeReceipt(streamId, 1)])
    await tested.transfer.restoreReplays(streamId, [makePart(streamId, 'b/a', 0, true)])

    await tested.transfer.restoreBooks(streamId, EMPTY_BOOKS)
    expect(await pagesOf(tested.transfer.receipts(streamId))).toEqual([])
    expect(await pagesOf(tested.transfer.replays(streamId))).toEqual([])
    // It was forgotten that the batch had been entered.
    await tested.catalog.recordSealed(batch)
    expect(await tested.catalog.books(streamId)).toEqual({ ...EMPTY_BOOKS, accepted: 10 })
  })

  test(`${name}: a stream that was deleted may be restored`, async () => {
    await using tested = await open()
    const stream = { streamId: ids.next(), name: 'logs', revision: 7 } as DeliveryStream
    await tested.catalog.createStream(stream)
    await tested.catalog.recordSealed(batchOf(ids.next(), stream.streamId))
    await tested.catalog.deleteStream(stream.streamId)
    await tested.transfer.restoreBooks(stream.streamId, BOOKS)
    await tested.catalog.recordSealed(batchOf(ids.next(), stream.streamId))
    await tested.catalog.createStream(stream)
    expect(await tested.catalog.streams()).toEqual([stream])
    expect(await tested.catalog.books(stream.streamId)).toEqual({ ...BOOKS, accepted: 125 })
  })

  test(`${name}: receipts are restored without the books, however often`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const receipts = Array.from({ length: 120 }, (_, index) => makeReceipt(streamId, index))
    const [first, last] = [receipts[0], receipts.at(-1)]
    await tested.transfer.restoreBooks(streamId, BOOKS)
    await tested.transfer.restoreReceipts(streamId, receipts.slice(0, 60))
    await tested.transfer.restoreReceipts(streamId, receipts.slice(50))
    expect(await pagesOf(tested.transfer.receipts(streamId))).toEqual(receipts)
    expect(await tested.catalog.latestReceipts(streamId, 1)).toEqual([last])
    expect(await tested.catalog.receipt(first?.batchId ?? '')).toEqual(first)
    // Such a batch is delivered: it is not accepted once more.
    await tested.catalog.recordSealed(batchOf(first?.batchId ?? '', streamId))
    expect(await tested.catalog.books(streamId)).toEqual(BOOKS)
  })

  test(`${name}: receipts are told of one stream, also those that were entered by deliveries`, async () => {
    await using tested = await open()
    const [streamId, otherId] = [ids.next(), ids.next()]
    const receipt = makeReceipt(streamId, 1)
    await tested.catalog.recordReceipt(receipt)
    await tested.catalog.recordReceipt(makeReceipt(otherId, 2))
    expect(await pagesOf(tested.transfer.receipts(streamId))).toEqual([receipt])
    expect(await tested.transfer.hasReceipt(streamId, receipt.batchId)).toBe(true)
    expect(await tested.transfer.hasReceipt(streamId, ids.next())).toBe(false)
  })

  test(`${name}: replayed parts are restored, in their order, with whether they were imported`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const parts = [
      makePart(streamId, 'bucket/a', 0, true),
      makePart(streamId, 'bucket/a', 10, false),
      makePart(streamId, 'bucket/b', 0, true),
    ]
    await tested.transfer.restoreBooks(streamId, EMPTY_BOOKS)
    await tested.transfer.restoreReplays(streamId, parts)
    await tested.transfer.restoreReplays(streamId, parts)
    const found = await pagesOf(tested.transfer.replays(streamId))
    expect(found.toSorted((a, b) => (a.batchId < b.batchId ? -1 : 1))).toEqual(parts)
    expect(await tested.catalog.replayedParts(streamId, 'bucket/a')).toEqual(parts.slice(0, 2))

    // The replay goes on: the part that was entered becomes a batch, and another one follows.
    const [, unfinished] = parts
    await tested.catalog.recordSealed(batchOf(unfinished?.batchId ?? '', streamId))
    const next = makePart(streamId, 'bucket/a', 20, false)
    await tested.catalog.recordReplay(withoutImported(next), 2)
    expect(await tested.catalog.replayedParts(streamId, 'bucket/a')).toEqual([
      parts[0],
      { ...unfinished, imported: true },
      next,
    ])
  })
}

function withoutImported({ imported: _imported, ...part }: KnownReplayedPart) {
  return part
}

async function pagesOf<Item>(pages: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = []
  for await (const page of pages) {
    expect(page).not.toEqual([])
    items.push(...page)
  }
  return items
}
