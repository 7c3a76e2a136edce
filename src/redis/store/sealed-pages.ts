import type { BatchId, SealedBatch } from '../../batch.ts'
import type { Keys } from '../keys.ts'
import type { Lane } from '../lanes.ts'
import type { RedisClient } from '../scripts.ts'

const PAGE_SIZE = 100

/** A lane's sealed batches, oldest first, also while batches come and go. */
export async function* sealedBatches(
  client: RedisClient,
  keys: Keys,
  { streamId, lane }: Lane,
): AsyncGenerator<SealedBatch> {
  const laneKeys = keys.lane(streamId, lane)
  for await (const batchIds of idPages(client, laneKeys.of('sealed'))) {
    const found = await Promise.all(
      batchIds.map((batchId) => client.hget(laneKeys.ofBatch('batch', batchId), 'facts')),
    )
    for (const facts of found) {
      // One that was removed since is not there any more.
      if (facts !== null) yield JSON.parse(facts) as SealedBatch
    }
  }
}

/** Pages by score, because places shift when a batch is removed. */
async function* idPages(client: RedisClient, key: string): AsyncGenerator<readonly BatchId[]> {
  let from = '-inf'
  /** Those of the score `from` that are told already. */
  let told = new Set<string>()
  for (;;) {
    const limit = PAGE_SIZE + told.size
    const page = await client.zrange(key, from, '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
    const found = page
      .map((batchId, index) => ({ batchId, score: page[index + 1] ?? '' }))
      .filter((_, index) => index % 2 === 0)
    const fresh = found.filter(({ batchId }) => !told.has(batchId))
    yield fresh.map(({ batchId }) => batchId)
    const last = found.at(-1)
    if (last === undefined || found.length < limit) return
    from = last.score
    told = new Set(found.filter(({ score }) => score === last.score).map(({ batchId }) => batchId))
  }
}
