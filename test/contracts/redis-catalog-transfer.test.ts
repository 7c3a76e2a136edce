import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { BatchIds } from '../../src/batch.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'
import type { Receipt } from '../../src/receipt.ts'
import { RedisCatalogTransfer } from '../../src/redis/catalog/catalog-transfer.ts'
import { available } from '../clients/available.ts'
import { startRedisCluster } from '../servers/redis-cluster.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { catalogTransferContract } from './catalog-transfer.ts'
import { openProcess, placeAt, runTwice } from './redis-catalogs.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const SERVERS = [
  { name: 'redis catalog transfer', start: () => startRedis() },
  {
    name: 'redis cluster catalog transfer',
    start: () => startRedisCluster({ masters: 3, replicas: 0 }),
  },
]

describe.runIf(isHere).each(SERVERS)('$name', ({ name, start }) => {
  let server: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server?.[Symbol.asyncDispose]())
  const open = async (receiptsPerLaneMax?: number) => {
    const process = openProcess(placeAt(server?.url ?? ''))
    const bound = receiptsPerLaneMax === undefined ? {} : { receiptsPerLaneMax }
    const transfer = new RedisCatalogTransfer({
      ...process,
      ...bound,
      durable: runTwice(process.scripts),
    })
    return { ...process, transfer }
  }
  catalogTransferContract(name, () => open())

  test(`${name}: of more receipts than are kept the latest are restored`, async () => {
    await using tested = await open(10)
    const ids = new BatchIds(systemClock)
    const streamId = ids.next()
    const receipts = Array.from({ length: 25 }, (_, index) => {
      const receipt = { batchId: ids.next(), streamId, deliveredAtMs: 1_000 + index }
      return receipt as Receipt
    })
    await tested.transfer.restoreBooks(streamId, EMPTY_BOOKS)
    await tested.transfer.restoreReceipts(streamId, receipts.slice(0, 20))
    await tested.transfer.restoreReceipts(streamId, receipts.slice(20))
    const kept = []
    for await (const page of tested.transfer.receipts(streamId)) kept.push(...page)
    expect(kept).toEqual(receipts.slice(15))
  })

  test(`${name}: what lies in all lanes is told, and forgotten`, async () => {
    await using tested = await open()
    const ids = new BatchIds(systemClock)
    const streamId = ids.next()
    const receipts = [0, 3].map((lane): [Receipt, number] => [
      { ...RECEIPT, batchId: ids.next(), streamId, deliveredAtMs: lane },
      lane,
    ])
    for (const [receipt, lane] of receipts) {
      await tested.catalog.recordReceipt(receipt, { ...receipt, ...FACTS, lane })
    }
    const found = []
    for await (const page of tested.transfer.receipts(streamId)) found.push(...page)
    expect(found).toEqual(receipts.map(([receipt]) => receipt))
    for (const { batchId } of found) {
      expect(await tested.transfer.hasReceipt(streamId, batchId)).toBe(true)
    }
    await tested.transfer.restoreBooks(streamId, EMPTY_BOOKS)
    expect(await tested.catalog.latestReceipts(streamId, 10)).toEqual([])
    expect(await tested.catalog.books(streamId)).toEqual(EMPTY_BOOKS)
  })
})

const RECEIPT: Omit<Receipt, 'batchId' | 'streamId'> = {
  streamName: 'logs',
  recordCount: 1,
  dataBytes: 1,
  firstArrivalMs: 1,
  sealedAtMs: 1,
  deliveredAtMs: 1,
  attempts: 1,
  outputs: [],
  droppedCount: 1,
  quarantinedCount: 0,
}
const FACTS = { storedBytes: 1, lastArrivalMs: 1, sealReason: 'age' } as const
