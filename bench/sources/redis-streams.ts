import { Redis } from 'ioredis'
import { startRedis } from '../../test/servers/redis.ts'
import { logRecords } from '../workload.ts'
import { DISTINCT_RECORDS } from './source-bench.ts'
import type { SourcePlan } from './source-bench.ts'

const KEY_COUNT = 4
const PIPELINE_RECORDS = 500
const READ_COUNT = 1_000
const GROUP = 'bare'

export const redisStreams: SourcePlan = {
  name: 'Redis Streams',
  recordCountMax: 1_000_000,
  needs: 'Redis, or Python for Valkey',
  async open() {
    const server = await startRedis({ appendonly: 'everysec' })
    if (server === undefined) return undefined
    return {
      place: server.url,
      async fill(name, recordCount) {
        const redis = new Redis(server.url)
        const keys = keysOf(name)
        const records = logRecords(Math.min(recordCount, DISTINCT_RECORDS))
        for (let start = 0; start < recordCount; start += PIPELINE_RECORDS) {
          const adding = redis.pipeline()
          const end = Math.min(start + PIPELINE_RECORDS, recordCount)
          for (let index = start; index < end; index += 1) {
            const [key = '', record = ''] = [
              keys[index % KEY_COUNT],
              records[index % records.length],
            ]
            adding.xadd(key, '*', 'data', record)
          }
          await adding.exec()
        }
        redis.disconnect()
      },
      environment: () => ({}),
      stream: (name) => ({
        DeliveryStreamType: 'RedisStreamAsSource',
        RedisStreamSourceConfiguration: {
          RedisUrl: server.url,
          StreamKeys: keysOf(name),
          StartingPosition: 'TRIM_HORIZON',
        },
      }),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
  async readBare(url, name) {
    await Promise.all(keysOf(name).map(async (key) => await readKey(url, key)))
  },
}

function keysOf(name: string): string[] {
  return Array.from({ length: KEY_COUNT }, (_, index) => `${name}:${index}`)
}

async function readKey(url: string, key: string): Promise<void> {
  const redis = new Redis(url)
  await redis.xgroup('CREATE', key, GROUP, '0')
  for (;;) {
    const answer = await redis.xreadgroupBuffer(
      'GROUP',
      GROUP,
      'bench',
      'COUNT',
      READ_COUNT,
      'STREAMS',
      key,
      '>',
    )
    if (answer === null) break
    const [, entries] = answer[0] as unknown as [Buffer, [Buffer, Buffer[]][]]
    await redis.xack(key, GROUP, ...entries.map(([id]) => id))
  }
  redis.disconnect()
}
