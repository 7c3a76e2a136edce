/** What every Catalog must do. */
import { expect, test, vi } from 'vitest'
import { CatalogConflict } from '../../src/catalog.ts'
import type { Catalog } from '../../src/catalog.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { Receipt } from '../../src/receipt.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'
import { systemClock } from '../../src/base/clock.ts'
import { ids, makeBatch, makeOutput, makeReceipt, makeStream, NOW_MS } from './catalog-entries.ts'
import { replayContract } from './catalog-replays.ts'

export interface CatalogUnderTest extends AsyncDisposable {
  readonly catalog: Catalog
  /** The same one in another process, where several share it. */
  another?(): Catalog
  /** The catalog as the next process finds it. */
  restart(): Promise<CatalogUnderTest>
}

export type OpenCatalog = () => Promise<CatalogUnderTest>

export function catalogContract(name: string, open: OpenCatalog): void {
  replayContract(name, open)

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

  test(`${name}: changes by another process are told within a second, until told to end`, async () => {
    await using tested = await open()
    const { catalog } = tested
    const watcher = tested.another?.() ?? catalog
    const watching = new AbortController()
    let seen: readonly DeliveryStream[] | undefined
    const look = async (): Promise<void> => {
      seen = await watcher.streams()
    }
    const isSeen = async (...streams: DeliveryStream[]): Promise<void> => {
      await vi.waitFor(() => expect(seen).toEqual(streams), { timeout: 1_000, interval: 10 })
    }
    watcher.watchStreams(look, watching.signal)
    // Nobody else has the embedded one: there is nothing to tell.
    if (tested.another !== undefined) {
      const stream = makeStream('logs')
      await catalog.createStream(stream)
      await isSeen(stream)
      await catalog.replaceStream(stream)
      await isSeen({ ...stream, revision: 2 })
      await catalog.deleteStream(stream.streamId)
      await isSeen()
    }
    watching.abort()
    const seenLast = seen
    await catalog.createStream(makeStream('other'))
    await systemClock.sleep(1_000)
    expect(seen).toBe(seenLast)
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
        makeOutput('delivered', 3),
        makeOutput('delivered', 1),
        makeOutput('errored', 2),
        makeOutput('copy', 10),
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
      const outputs = [makeOutput('delivered', 10 + madeCount)]
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

  test(`${name}: a second receipt for a batch is ignored`, async () => {
    await using tested = await open()
    const batch = makeBatch(ids.next())
    const receipt = makeReceipt(batch)
    await tested.catalog.recordReceipt(receipt)
    const second = makeReceipt(batch, {
      outputs: [makeOutput('errored', 10)],
      deliveredAtMs: NOW_MS,
    })
    await tested.catalog.recordReceipt(second)
    expect(await tested.catalog.receipt(batch.batchId)).toEqual(receipt)
    expect(await tested.catalog.latestReceipts(batch.streamId, 10)).toEqual([receipt])
    expect(await tested.catalog.books(batch.streamId)).toEqual({
      ...EMPTY_BOOKS,
      accepted: 10,
      delivered: 10,
    })
  })

  test(`${name}: a batch in another lane counts and is found like any other`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batches = [0, 3, 1].map((lane) => ({ ...makeBatch(streamId), lane }))
    const receipts = batches.map((batch, second) =>
      makeReceipt(batch, { deliveredAtMs: NOW_MS + second }),
    )
    for (const [index, batch] of batches.entries()) {
      await tested.catalog.recordSealed(batch)
      await tested.catalog.recordReceipt(receipts[index] as Receipt, batch)
    }
    const [, fourth] = receipts
    expect(await tested.catalog.receipt(fourth?.batchId ?? '')).toEqual(fourth)
    expect(await tested.catalog.latestReceipts(streamId, 2)).toEqual([receipts[2], fourth])
    expect(await tested.catalog.books(streamId)).toEqual({
      ...EMPTY_BOOKS,
      accepted: 30,
      delivered: 30,
    })
    await tested.catalog.deleteStream(streamId)
    expect(await tested.catalog.books(streamId)).toEqual(EMPTY_BOOKS)
    expect(await tested.catalog.receipt(fourth?.batchId ?? '')).toBe(undefined)
  })

  test(`${name}: a receipt with thousands of outputs comes back whole`, async () => {
    await using tested = await open()
    const batch = makeBatch(ids.next())
    const outputs = Array.from({ length: 2_000 }, () => makeOutput('delivered', 1))
    const receipt = makeReceipt(batch, { outputs })
    await tested.catalog.recordReceipt(receipt)
    expect(await tested.catalog.receipt(batch.batchId)).toEqual(receipt)
    expect(await tested.catalog.latestReceipts(batch.streamId, 1)).toEqual([receipt])
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

  test(`${name}: what was asked for before closing is done`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const recorded = tested.catalog.recordSealed(makeBatch(streamId))
    await using restarted = await tested.restart()
    await recorded
    expect(await restarted.catalog.books(streamId)).toMatchObject({ accepted: 10 })
  })
}
