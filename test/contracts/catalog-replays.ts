/** What every Catalog must do for replays. */
import { expect, test } from 'vitest'
import type { SealedBatch } from '../../src/batch.ts'
import { CatalogConflict } from '../../src/catalog.ts'
import type { ReplayedPart } from '../../src/catalog.ts'
import { ids, makeBatch, makeReceipt } from './catalog-entries.ts'
import type { OpenCatalog } from './catalog.ts'

export function replayContract(name: string, open: OpenCatalog): void {
  test(`${name}: replayed parts are kept by stream and source, in their order`, async () => {
    await using tested = await open()
    const [one, other] = [ids.next(), ids.next()]
    const parts = [
      makePart(one, 'bucket/a'),
      makePart(one, 'bucket/a'),
      makePart(one, 'bucket/b'),
      makePart(other, 'bucket/a'),
    ]
    for (const part of parts) {
      const known = await tested.catalog.replayedParts(part.streamId, part.source)
      await tested.catalog.recordReplay(part, known.length)
    }
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

  test(`${name}: of two that replay a source at once the second is refused`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const [first, second, other] = ['b/k', 'b/k', 'b/other'].map((source) =>
      makePart(streamId, source),
    ) as [ReplayedPart, ReplayedPart, ReplayedPart]
    await tested.catalog.recordReplay(first, 0)
    await expect(tested.catalog.recordReplay(second, 0)).rejects.toThrow(CatalogConflict)
    await tested.catalog.recordReplay(other, 0)
    expect(await tested.catalog.replayedParts(streamId, 'b/k')).toEqual([
      { ...first, imported: false },
    ])
    expect(await tested.catalog.replayedPart(second.batchId)).toBe(undefined)
  })

  test(`${name}: a replayed part is imported once its batch is accepted, and stays so`, async () => {
    await using tested = await open()
    const streamId = ids.next()
    const batches = [makeBatch(streamId), makeBatch(streamId), makeBatch(streamId)]
    for (const [knownCount, { batchId }] of batches.entries()) {
      await tested.catalog.recordReplay({ ...makePart(streamId, 'b/k'), batchId }, knownCount)
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
}

function makePart(streamId: string, source: string): ReplayedPart {
  const range = { from: 1_000, to: 1_008 }
  return { streamId, source, batchId: ids.next(), range, records: 'AQ==' }
}
