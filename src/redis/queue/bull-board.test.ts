import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { claimOne, FAILURE } from '../../../test/contracts/delivery-queue.ts'
import { placeAt } from '../../../test/contracts/redis-catalogs.ts'
import { openQueueProcess } from '../../../test/contracts/redis-queues.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { BatchIds } from '../../batch.ts'
import { openBullBoard } from './bull-board.ts'
import { Keys } from '../keys.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const require = createRequire(import.meta.url)
const arePackagesHere = available('bull-board', canLoad('hono') && canLoad('@bull-board/hono'))

function canLoad(name: string): boolean {
  try {
    return require.resolve(name) !== ''
  } catch {
    return false
  }
}

describe.runIf(isHere)('bull-board', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis()) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('says what is missing where its packages are not installed', async () => {
    const place = placeAt(server.url)
    const opening = openBullBoard({
      place,
      keys: new Keys(place.prefix),
      host: '127.0.0.1',
      port: 0,
      logger: silentLogger,
      load: () => Promise.reject(new Error('Cannot find package hono')),
    })
    await expect(opening).rejects.toThrow(
      'Cannot open bull-board: it needs the packages @bull-board/api, @bull-board/hono, hono, ',
    )
  })

  test.runIf(arePackagesHere)('shows parked batches, and changes nothing', async () => {
    const place = placeAt(server.url)
    await using process = openQueueProcess({ place })
    const batchId = new BatchIds(systemClock).next()
    await process.queue.enqueue({
      batchId,
      streamId: 'stream',
      recordCount: 7,
      dataBytes: 70,
      storedBytes: 70,
      firstArrivalMs: 0,
      lastArrivalMs: 0,
      sealedAtMs: 0,
      sealReason: 'age',
    })
    await process.queue.park(await claimOne(process.queue), FAILURE)
    const { keys } = process
    const where = { host: '127.0.0.1', port: 0 }
    await using board = await openBullBoard({ place, keys, ...where, logger: silentLogger })
    expect(await (await fetch(board.url)).text()).toContain('<title>')
    const query = 'activeQueue=deliveries&status=failed&page=1&jobsPerPage=10'
    const answer = (await (await fetch(`${board.url}/api/queues?${query}`)).json()) as {
      readonly queues: readonly { readonly name: string; readonly jobs: readonly object[] }[]
    }
    const deliveries = answer.queues.find(({ name }) => name === 'deliveries')
    expect(deliveries?.jobs).toMatchObject([
      { id: batchId, name: 'stream', failedReason: 'S3.AccessDenied: Access denied' },
    ])
    const retry = `${board.url}/api/queues/deliveries/${batchId}/retry/failed`
    expect((await fetch(retry, { method: 'PUT' })).status).toBe(405)
  })
})
