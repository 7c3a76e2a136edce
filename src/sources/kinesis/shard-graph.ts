/**
 * Which shards may be read now. A shard that is split, or merged with another, is closed: it takes no more
 * records, and those of its keys go to its children, of which a merged one has two parents. What has the
 * same key is delivered in its order only if a child is read after its parents:
 *
 *   waiting ──(every parent is done, or is not listed)──▸ readable ──(read to its end)──▸ done
 *
 * A shard whose retention has passed is not listed any more, and has nothing to wait for. That a shard is
 * done is kept in memory only: after a restart, and by another node, it is read on from its last position,
 * which is at once found to be its end.
 */
import type { Shard } from './kinesis-service.ts'

export class ShardGraph {
  readonly #done = new Set<string>()
  #listed: ReadonlyMap<string, Shard> = new Map()

  /** Takes all shards that there are now, open and closed. */
  update(shards: readonly Shard[]): void {
    this.#listed = new Map(shards.map((shard) => [shard.shardId, shard]))
    for (const shardId of this.#done) if (!this.#listed.has(shardId)) this.#done.delete(shardId)
  }

  /** The shard was read to its end, and all of it taken over. */
  finish(shardId: string): void {
    if (this.#listed.has(shardId)) this.#done.add(shardId)
  }

  has(shardId: string): boolean {
    return this.#listed.has(shardId)
  }

  /** In the order of their ids, which is the order they were made in. */
  readable(): readonly Shard[] {
    return [...this.#listed.values()]
      .filter(({ shardId, parents }) => !this.#done.has(shardId) && parents.every(this.#isOver))
      .toSorted((one, other) => (one.shardId < other.shardId ? -1 : 1))
  }

  readonly #isOver = (shardId: string): boolean =>
    this.#done.has(shardId) || !this.#listed.has(shardId)
}
