/** Processes of a queue in Redis, for tests. */
import { vi } from 'vitest'
import type { RedisPlace } from '../../src/backend.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { connect, disconnect } from '../../src/redis/connection.ts'
import { RedisQueue } from '../../src/redis/queue/delivery-queue.ts'
import type { RedisQueueOptions } from '../../src/redis/queue/delivery-queue.ts'
import { Keys } from '../../src/redis/keys.ts'
import { Lanes } from '../../src/redis/lanes.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import type { RedisClient, ScriptRunner } from '../../src/redis/scripts.ts'
import type { ManualClock } from './manual-clock.ts'

const ids = new BatchIds(systemClock)

export function makeBatch(streamId: string, lane?: number): SealedBatch {
  return {
    batchId: ids.next(),
    streamId,
    recordCount: 1,
    dataBytes: 10,
    storedBytes: 30,
    firstArrivalMs: 0,
    lastArrivalMs: 0,
    sealedAtMs: 0,
    sealReason: 'age',
    ...(lane !== undefined && { lane }),
  }
}

export async function enqueue(queue: RedisQueue, streamId: string, count: number) {
  const batches = Array.from({ length: count }, () => makeBatch(streamId))
  for (const batch of batches) await queue.enqueue(batch)
  return batches
}

/** One process's queue, with what it works on. */
export interface QueueProcess extends AsyncDisposable {
  readonly queue: RedisQueue
  readonly client: RedisClient
  readonly keys: Keys
  readonly lanes: Lanes
  /** Ends without a word: what it has claimed stays claimed. Harmless when it was killed. */
  kill(): Promise<void>
}

export interface QueueProcessOptions extends Partial<Omit<RedisQueueOptions, 'scripts'>> {
  readonly place: RedisPlace
  readonly scripts?: (scripts: Scripts) => ScriptRunner
  /** False: it does not look after its claims, nor mends what others left. */
  readonly runs?: boolean
}

export function openQueueProcess(options: QueueProcessOptions): QueueProcess {
  const { place, scripts = (plain) => plain, runs = true, ...facts } = options
  const client = connect({ place, name: 'test', logger: silentLogger })
  const keys = new Keys(place.prefix)
  const lanes = new Lanes(client, new Scripts(client), keys)
  const queue = new RedisQueue({
    clock: systemClock,
    logger: silentLogger,
    claimsMax: 4,
    streamClaimsMax: 3,
    sealUnsealed: async () => {},
    onDelivered: async () => {},
    ...facts,
    place,
    client,
    keys,
    lanes,
    scripts: scripts(new Scripts(client)),
  })
  const running = new AbortController()
  const run = runs ? queue.run(running.signal) : undefined
  let killed: Promise<void> | undefined
  const kill = async (): Promise<void> => {
    running.abort()
    await run
    await queue.close()
    disconnect(client)
  }
  return {
    queue,
    client,
    keys,
    lanes,
    kill: () => (killed ??= kill()),
    [Symbol.asyncDispose]: () => (killed ??= kill()),
  }
}

/** BullMQ reads the wall clock itself: so it is the test's, too. */
export function fakeWallClock(clock: ManualClock): Disposable {
  vi.useFakeTimers({ toFake: ['Date'] })
  clock.onAdvance = (wallMs) => vi.setSystemTime(wallMs)
  vi.setSystemTime(clock.nowMs())
  return { [Symbol.dispose]: () => vi.useRealTimers() }
}
