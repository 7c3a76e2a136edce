import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import {
  makeBatch,
  makeReceipt,
  makeStream,
  NOW_MS,
} from '../../../test/contracts/catalog-entries.ts'
import { ManualClock } from '../../../test/contracts/manual-clock.ts'
import { openProcess, placeAt } from '../../../test/contracts/redis-catalogs.ts'
import type { RedisProcess } from '../../../test/contracts/redis-catalogs.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { ClaimLost } from '../../batch.ts'
import type { SealedBatch } from '../../batch.ts'
import { CatalogConflict } from '../../catalog.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import { EMPTY_BOOKS } from '../../receipt.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)

describe.runIf(isHere)('a catalog in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())
  const open = (receiptsPerLaneMax?: number): RedisProcess =>
    openProcess(placeAt(server.url), receiptsPerLaneMax === undefined ? {} : { receiptsPerLaneMax })

  /** As the claim script does. */
  async function claim(process: RedisProcess, batch: SealedBatch): Promise<SealedBatch> {
    const { client, keys, catalog } = process
    await catalog.recordSealed(batch)
    const entry = keys.lane(batch.streamId).ofBatch('entry', batch.batchId)
    await client.hset(entry, 'heldBy', `${batch.batchId}-token`)
    return { ...batch, heldBy: `${batch.batchId}-token` }
  }

  test('a receipt of a claim that is lost is refused, and nothing of it is entered', async () => {
    await using process = open()
    const { catalog } = process
    const batch = makeBatch('stream')
    const claimed = await claim(process, batch)
    const lost = { ...batch, heldBy: 'an earlier token' }
    await expect(catalog.recordReceipt(makeReceipt(batch), lost)).rejects.toThrow(ClaimLost)
    expect(await catalog.receipt(batch.batchId)).toBe(undefined)
    expect(await catalog.latestReceipts('stream', 10)).toEqual([])
    expect(await catalog.books('stream')).toEqual({ ...EMPTY_BOOKS, accepted: 10 })
    await catalog.recordReceipt(makeReceipt(batch), claimed)
    await catalog.recordReceipt(makeReceipt(batch), claimed)
    expect(await catalog.books('stream')).toEqual({ ...EMPTY_BOOKS, accepted: 10, delivered: 10 })
  })

  test('of many that create a stream of one name at once, one has done it', async () => {
    const place = placeAt(server.url)
    await using processes = new AsyncDisposableStack()
    const streams = Array.from({ length: 20 }, () => makeStream('logs'))
    const outcomes = await Promise.allSettled(
      streams.map((stream) => processes.use(openProcess(place)).catalog.createStream(stream)),
    )
    expect(rejections(outcomes)).toEqual(Array.from({ length: 19 }, () => CatalogConflict))
    const winner = streams[outcomes.findIndex(({ status }) => status === 'fulfilled')]
    expect(await processes.use(openProcess(place)).catalog.streams()).toEqual([winner])
  })

  test('of many that replace a revision at once, also by the same, one has done it', async () => {
    const place = placeAt(server.url)
    await using processes = new AsyncDisposableStack()
    const { catalog } = processes.use(openProcess(place))
    const stream = makeStream('logs')
    await catalog.createStream(stream)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        processes.use(openProcess(place)).catalog.replaceStream({ ...stream, versionId: 2 }),
      ),
    )
    expect(rejections(outcomes)).toEqual(Array.from({ length: 19 }, () => CatalogConflict))
    expect(await catalog.streams()).toEqual([{ ...stream, versionId: 2, revision: 2 }])
  })

  test('a stream made again under its name is not taken for the one before', async () => {
    await using process = open()
    const { catalog } = process
    const [before, after] = [makeStream('logs'), makeStream('logs')]
    await catalog.createStream(before)
    await catalog.deleteStream(before.streamId)
    await catalog.createStream(after)
    await expect(catalog.replaceStream(before)).rejects.toThrow(CatalogConflict)
    await catalog.deleteStream(before.streamId)
    expect(await catalog.streams()).toEqual([after])
  })

  test('a watcher whose subscription is cut off again and again learns of changes in time', async () => {
    const place = placeAt(server.url)
    await using watcher = openProcess(place)
    await using writer = openProcess(place)
    let seen: readonly DeliveryStream[] = []
    const look = async (): Promise<void> => {
      seen = await watcher.catalog.streams()
    }
    const watching = new AbortController()
    watcher.catalog.watchStreams(look, watching.signal)
    const streams = Array.from({ length: 5 }, (_, index) => makeStream(`stream-${index}`))
    for (const [index, stream] of streams.entries()) {
      await subscribed(writer)
      await killSubscriber(writer)
      await writer.catalog.createStream(stream)
      await vi.waitFor(() => expect(seen).toHaveLength(index + 1), { timeout: 1_000 })
    }
    watching.abort()
    expect(seen).toEqual(streams)
  })

  test('a watcher is told by a message, before it is time to look', async () => {
    const place = placeAt(server.url)
    await using watcher = openProcess(place, { clock: new ManualClock() })
    await using writer = openProcess(place)
    const changed = vi.fn<() => Promise<void>>().mockResolvedValue()
    watcher.catalog.watchStreams(changed, new AbortController().signal)
    await subscribed(writer)
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1))
    await writer.catalog.createStream(makeStream('logs'))
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(2))
  })

  test('a watcher that could not do with a change is told again', async () => {
    await using process = open()
    const changed = vi.fn<() => Promise<void>>().mockResolvedValue()
    changed.mockRejectedValueOnce(new Error('Cannot read the streams'))
    process.catalog.watchStreams(changed, new AbortController().signal)
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(2))
  })

  test('a lane keeps its latest receipts, so many as are allowed', async () => {
    await using process = open(3)
    const { catalog, client, keys } = process
    const batches = [1, 2, 3, 4, 5].map((second) => ({
      ...makeBatch('stream'),
      sealedAtMs: NOW_MS + second,
    }))
    const receipts = batches.map((batch) => makeReceipt(batch, { deliveredAtMs: batch.sealedAtMs }))
    for (const receipt of receipts) await catalog.recordReceipt(receipt)
    expect(await catalog.latestReceipts('stream', 10)).toEqual(receipts.slice(2).toReversed())
    expect(await client.hlen(keys.lane('stream').of('receipts'))).toBe(3)
    // One that comes late is kept, for its worker may ask once more.
    const late = makeReceipt(makeBatch('stream'), { deliveredAtMs: NOW_MS })
    await catalog.recordReceipt(late)
    expect(await catalog.receipt(late.batchId)).toEqual(late)
    expect(await client.hlen(keys.lane('stream').of('receipts'))).toBe(3)
    expect(await catalog.books('stream')).toMatchObject({ accepted: 60, delivered: 60 })
  })

  test('thousands of old receipts are forgotten page by page', async () => {
    await using process = open()
    const { catalog, client, keys } = process
    const receipts = Array.from({ length: 1_201 }, (_, index) =>
      makeReceipt(makeBatch('stream'), { deliveredAtMs: NOW_MS + index }),
    )
    await Promise.all(receipts.map((receipt) => catalog.recordReceipt(receipt)))
    await catalog.pruneReceipts(NOW_MS + 1_200)
    expect(await catalog.latestReceipts('stream', 10)).toEqual(receipts.slice(-1))
    expect(await client.hlen(keys.lane('stream').of('receipts'))).toBe(1)
  })

  test('nothing is entered for a deleted stream, and nothing of it is left but tombstones', async () => {
    const place = placeAt(server.url)
    await using process = openProcess(place)
    const { catalog, client, keys } = process
    const stream = makeStream('logs')
    const { streamId } = stream
    await catalog.createStream(stream)
    const claimed = await claim(process, makeBatch(streamId))
    await client.del(keys.lane(streamId).ofBatch('entry', claimed.batchId))
    await catalog.deleteStream(streamId)
    const batch = { ...makeBatch(streamId), lane: 2 }
    await using other = openProcess(place)
    for (const { catalog } of [process, other]) {
      await catalog.recordSealed(batch)
      await catalog.recordReceipt(makeReceipt(batch), batch)
      await catalog.recordReceipt(makeReceipt(claimed), claimed)
      const part = { streamId, source: 'b/k', batchId: batch.batchId, records: 'AQ==' }
      await expect(catalog.recordReplay({ ...part, range: { from: 0, to: 1 } }, 0)).rejects.toThrow(
        'Cannot replay b/k: the stream is deleted',
      )
    }
    const left = await client.keys(`${keys.prefix}:*`)
    expect(left.filter((key) => !key.endsWith(':gone'))).toEqual([keys.catalog('revision')])
    expect(await client.ttl(keys.lane(streamId, 15).of('gone'))).toBeGreaterThan(80_000)
  })

  test('a deleted stream is discarded once more when nothing can be entered for it any more', async () => {
    const place = placeAt(server.url)
    const seen: unknown[] = []
    await using process = openProcess(place, {
      onGone: async (streamId) => {
        const { client, keys, catalog } = process
        const tombstone = await client.get(keys.lane(streamId).of('gone'))
        seen.push([streamId, tombstone, (await catalog.streams()).length])
      },
    })
    const stream = makeStream('late')
    await process.catalog.createStream(stream)
    await process.catalog.deleteStream(stream.streamId)
    expect(seen).toEqual([[stream.streamId, '1', 1]])
    expect(await process.catalog.streams()).toEqual([])
  })

  test('a change that Redis can not be asked for just then is made when it can', async () => {
    await using process = open()
    await process.catalog.streams()
    process.client.disconnect(true)
    const stream = makeStream('logs')
    await process.catalog.createStream(stream)
    expect(await process.catalog.streams()).toEqual([stream])
  })
})

test.runIf(isHere)('receipts are entered and streams deleted also when Redis is full', async () => {
  await using server = (await startRedis({ maxmemory: '8mb' })) as RedisServer
  await using process = openProcess(placeAt(server.url))
  const { catalog, client, keys, scripts } = process
  const stream = makeStream('logs')
  await catalog.createStream(stream)
  const batch = makeBatch(stream.streamId)
  await catalog.recordSealed(batch)
  const laneKeys = keys.lane(batch.streamId)
  await client.hset(laneKeys.ofBatch('entry', batch.batchId), 'heldBy', 'token')
  const fill = async (): Promise<void> => {
    for (;;) await client.append('filling', 'x'.repeat(100_000))
  }
  await expect(fill()).rejects.toThrow(/^OOM/)
  await expect(scripts.run('record-sealed', recordSealedKeys(), ['other', 1])).rejects.toThrow(
    'OOM',
  )

  // Another process, which has not seen the lane yet.
  await using other = openProcess({ ...placeAt(server.url), prefix: keys.prefix })
  await other.catalog.recordReceipt(makeReceipt(batch), { ...batch, heldBy: 'token' })
  expect(await catalog.books(batch.streamId)).toMatchObject({ accepted: 10, delivered: 10 })
  await other.catalog.deleteStream(batch.streamId)
  expect(await catalog.streams()).toEqual([])

  function recordSealedKeys(): string[] {
    return (['gone', 'receipts', 'accepted', 'books', 'replays', 'imported'] as const).map(
      (thing) => laneKeys.of(thing),
    )
  }
})

function rejections(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason.constructor] : [],
  )
}

async function subscribed({ client, keys }: RedisProcess): Promise<void> {
  await vi.waitFor(async () => {
    expect(await client.pubsub('NUMSUB', keys.changes)).toEqual([keys.changes, 1])
  })
}

async function killSubscriber({ client }: RedisProcess): Promise<void> {
  const clients = String(await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
  const ids = [...clients.matchAll(/^id=(\d+) .*name=standpipe-changes/gm)].map(([, id]) => id)
  for (const id of ids) await client.call('CLIENT', 'KILL', 'ID', String(id))
}
