/**
 * Where a chunk comes from, so that it is taken over once, however often it is offered.
 *
 * A source is read partition by partition: a Kinesis shard, a Kafka partition, a Redis stream. Of each the
 * store keeps how far it was read, in the same durable step as the records:
 *
 *   chunk n of a partition is appended if, and only if, chunk n - 1 was the last
 *
 * So whoever reads a partition that another has gone on with is told so, and nobody need know who reads
 * it. A request that its sender may repeat is a partition of one chunk, forgotten after a while.
 */

export interface ChunkOrigin {
  /** Unlike any other of the stream; up to 512 characters. */
  readonly partition: string
  /** One more than that of the partition's chunk before; the first is 1. */
  readonly sequence: number
  /** How far the partition is read with this chunk, as its source counts; up to 512 characters. */
  readonly position: string
  /** It is a request rather than a partition: what is known of it goes after ORIGIN_KEPT_MS. */
  readonly passing?: true
}

/** How far a partition is read. */
export type PartitionPosition = ChunkOrigin & {
  /** When that chunk arrived; wall time. */
  readonly atMs: number
}

/** Passing origins are known for so long at least, unless the stream has more of them than below. */
export const ORIGIN_KEPT_MS = 24 * 3_600_000
/** Of a stream's passing origins no more are kept than about so many, the latest. */
export const ORIGINS_KEPT_MAX = 100_000

/** The partition has another sequence: the chunk is there already, or somebody else has gone on. */
export class PositionMoved extends Error {
  override readonly name = 'PositionMoved'
}
