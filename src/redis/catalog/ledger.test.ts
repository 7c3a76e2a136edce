import { strict as assert } from 'node:assert'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { makeBatch, makeOutput, makeReceipt } from '../../../test/contracts/catalog-entries.ts'
import { openProcess, placeAt } from '../../../test/contracts/redis-catalogs.ts'
import type { RedisProcess } from '../../../test/contracts/redis-catalogs.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { systemClock as clock } from '../../base/clock.ts'
import { BatchIds } from '../../batch.ts'
import type { SealedBatch } from '../../batch.ts'
import { chunkOf } from '../../chunk.ts'
import type { StreamStatus } from '../../pipeline/ledger.ts'
import { EMPTY_BOOKS } from '../../receipt.ts'
import { encodeFrame } from '../store/chunk-frame.ts'
import { CompressionTrial } from '../store/compression-trial.ts'
import { LaneQueue } from '../queue/lane-queue.ts'
import { LaneScripts } from '../store/lane-scripts.ts'
import type { Lane } from '../lanes.ts'
import { RedisLedger } from './ledger.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const ids = new BatchIds(clock)
const NOTHING_QUEUED = {
  state: 'running',
  waitingCount: 0,
  inFlightCount: 0,
  parkedCount: 0,
  recordCount: 0,
  dataBytes: 0,
  oldestArrivalMs: undefined,
  lastFailure: undefined,
}

describe.runIf(isHere)('the ledger in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('a batch is counted from its first record to its receipt, wherever it is', async () => {
    await using process = openProcess(placeAt(server.url))
    const ledger = ledgerOf(process)
    const worker = new LaneWorker(process, { streamId: 'stream', lane: 2 })
    expect(await ledger.status('stream')).toEqual({
      books: { ...EMPTY_BOOKS, pending: 0 },
      queue: NOTHING_QUEUED,
      pendingBytes: 0,
      oldestArrivalMs: undefined,
    })
    const batchId = await worker.append(['one', 'two'], 5_000)
    const pending = { pendingBytes: 6, oldestArrivalMs: 5_000 }
    const books = { ...EMPTY_BOOKS, accepted: 2, pending: 2 }
    expect(await ledger.status('stream')).toEqual({ ...pending, books, queue: NOTHING_QUEUED })

    const sealed = (await worker.seal(batchId)) as SealedBatch
    await ledger.sealed(sealed)
    const queue = { ...NOTHING_QUEUED, recordCount: 2, dataBytes: 6, oldestArrivalMs: 5_000 }
    const waiting = { ...queue, waitingCount: 1 }
    expect(await ledger.status('stream')).toEqual({ ...pending, books, queue: waiting })

    const claimed = await worker.claim(sealed)
    const inFlight = { ...queue, inFlightCount: 1 }
    expect(await ledger.status('stream')).toEqual({ ...pending, books, queue: inFlight })

    const outputs = [makeOutput('delivered', 1), makeOutput('errored', 1)]
    await ledger.delivered(makeReceipt(sealed, { outputs }), claimed)
    const done = {
      books: { ...EMPTY_BOOKS, accepted: 2, delivered: 1, errored: 1, pending: 0 },
      queue: NOTHING_QUEUED,
      pendingBytes: 0,
      oldestArrivalMs: undefined,
    }
    expect(await ledger.status('stream')).toEqual(done)
    await worker.complete(claimed)
    expect(await ledger.status('stream')).toEqual(done)
  })

  test('the queue of a stream is told as the worst of its lanes has it', async () => {
    await using process = openProcess(placeAt(server.url))
    const { client, keys, catalog } = process
    for (const lane of [0, 1, 2]) await catalog.recordSealed({ ...makeBatch('stream'), lane })
    const failure = { errorCode: 'S3.AccessDenied', errorMessage: 'no' }
    const braked = { braked: 1, failureCount: 2, lastFailure: JSON.stringify(failure) }
    await client.hset(keys.lane('stream', 1).of('queue'), braked)
    await client.hset(keys.lane('stream', 2).of('queue'), { failureCount: 1 })
    const status = () => ledgerOf(process).status('stream')
    expect((await status()).queue).toMatchObject({ state: 'braked', lastFailure: failure })
    await client.hset(keys.lane('stream', 2).of('queue'), { paused: 1 })
    expect((await status()).queue).toMatchObject({ state: 'paused' })
  })

  test('the books balance at every look, while others append, seal and commit', async () => {
    const place = placeAt(server.url)
    await using processes = new AsyncDisposableStack()
    const looker = ledgerOf(processes.use(openProcess(place)))
    const working = new AbortController()
    const work = [0, 0, 1, 2].map((lane) =>
      workOn(processes.use(openProcess(place)), { streamId: 'stream', lane }, working.signal),
    )
    const looks: StreamStatus[] = []
    while (looks.length < 300) looks.push(await looker.status('stream'))
    working.abort()
    const committedCount = (await Promise.all(work)).reduce((sum, count) => sum + count, 0)
    looks.push(await looker.status('stream'))

    expect(looks.filter((look) => imbalanceOf(look) !== 0)).toEqual([])
    expect(looks.filter(({ queue }) => queue.waitingCount < 0 || queue.recordCount < 0)).toEqual([])
    expect(looks.at(-1)?.books).toMatchObject({ pending: 0, delivered: 2 * committedCount })
    // They have really been at it all the while.
    expect(new Set(looks.map(({ books }) => books.delivered)).size).toBeGreaterThan(20)
    expect(looks.some(({ books }) => books.pending > 0)).toBe(true)
  })
})

function ledgerOf(process: RedisProcess): RedisLedger {
  return new RedisLedger({ ...process, clock })
}

function imbalanceOf({ books }: StreamStatus): number {
  const { accepted, made, delivered, dropped, errored, quarantined, pending } = books
  return accepted + made - delivered - dropped - errored - quarantined - pending
}

/** Takes batches of two records, now and then four, from append to receipt; answers how many it has. */
async function workOn(process: RedisProcess, lane: Lane, signal: AbortSignal): Promise<number> {
  const worker = new LaneWorker(process, lane)
  const ledger = ledgerOf(process)
  let pairCount = 0
  while (!signal.aborted) {
    const batchId = await worker.append(['one', 'two'], clock.nowMs())
    const sealed = await worker.seal(batchId)
    // Else another process of the lane has sealed it, together with what it has appended itself.
    if (sealed === undefined) continue
    const claimed = await worker.claim(sealed)
    await ledger.delivered(makeReceipt(sealed), claimed)
    await worker.complete(claimed)
    pairCount += sealed.recordCount / 2
  }
  return pairCount
}

/** What store and queue do to a batch of a lane, step by step. */
class LaneWorker {
  readonly #process: RedisProcess
  readonly #lane: Lane
  readonly #scripts: LaneScripts
  readonly #queue: LaneQueue
  readonly #writer = ids.next()
  #sequence = 0

  constructor(process: RedisProcess, lane: Lane) {
    this.#process = process
    this.#lane = lane
    this.#scripts = new LaneScripts({ ...process, durable: process.scripts, clock })
    this.#queue = new LaneQueue({ ...process, clock, streamClaimsMax: 8 })
  }

  async append(records: readonly string[], arrivalMs: number): Promise<string> {
    const { client, keys, lanes } = this.#process
    const { streamId, lane } = this.#lane
    await lanes.enter(streamId, lane + 1)
    const chunk = chunkOf(
      records.map((record) => Buffer.from(record)),
      arrivalMs,
    )
    const frame = await encodeFrame(chunk, { clock, trial: new CompressionTrial() })
    for (;;) {
      const believed = await client.hget(keys.lane(streamId, lane).of('open'), 'batchId')
      this.#sequence += 1
      const outcome = await this.#scripts.append(this.#lane, {
        writer: this.#writer,
        sequence: this.#sequence,
        believed: believed ?? undefined,
        fresh: ids.next(),
        sizeBytesMax: 1_000_000,
        ageMsMax: 60_000,
        wrappedDataKey: undefined,
        chunks: [{ frame, origin: undefined }],
      })
      if (outcome.kind === 'done') return outcome.answer.batchId
    }
  }

  seal(batchId: string): Promise<SealedBatch | undefined> {
    return this.#scripts.seal(this.#lane, batchId, 'flush', ids.next())
  }

  /** The lane's batches are claimed in their order: others' come first. */
  async claim(batch: SealedBatch): Promise<SealedBatch> {
    const { batchId } = batch
    const heldBy = ids.next()
    const request = { batchId, token: heldBy, place: 'deliveries' } as const
    for (;;) {
      const { what } = await this.#queue.claim(this.#lane, request)
      if (what === 'claimed') return { ...batch, heldBy }
    }
  }

  async complete(batch: SealedBatch): Promise<void> {
    assert(await this.#queue.complete(batch, batch.heldBy ?? ''), 'the claim was not lost')
  }
}
