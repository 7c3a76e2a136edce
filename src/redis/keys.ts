/**
 * What lies in Redis, and under which names.
 *
 * A stream has one *lane*, or several where it is spread (LANES_TAG). A lane is a stream in small: it
 * has batches, queue, books and receipts of its own, all under one hash tag. So every step of a batch
 * is one script on one node of a cluster, and a sum over lanes is a sum over things that balance.
 *
 *   <prefix>:{<streamId>}:…            lane 0        <prefix>:{<streamId>/<n>}:…     lane n
 *
 *   open            hash    the open batch: batchId, recordCount, dataBytes, storedBytes, firstArrivalMs,
 *                           lastArrivalMs, dueAtMs (wall time), serverLife, sizeBytesMax, wrappedDataKey; none: nothing
 *                           is buffered
 *   writers         hash    by writer: its last append, and the answer to it (so an append may be resent)
 *   positions       hash    by partition of the stream's source: sequence, time and position of its last chunk
 *                           (lane 0 only: whatever has an origin goes there)
 *   requests        hash    the same of requests, which are known for a while
 *   requestorder    zset    those by the time of their arrival
 *   readers         hash    by node that reads the stream's source: until when, and whether it wants more (lane 0)
 *   leases          hash    by partition: until when, and which node's it is (lane 0); both expire with the last
 *   sealed          zset    sealed batches that are not removed, by arrival of their first record
 *   usage           hash    storedBytes, batchCount (open ones too), quarantinedCount, quarantinedBytes
 *   batch:<id>      hash    facts of a sealed batch (JSON of SealedBatch), its wrapped data key, the call that
 *                           sealed it (sealedBy), stagedBytes
 *   chunks:<id>     list    its chunks (chunk-frame.ts)
 *   index:<id>      string  16 bytes a chunk, so that a range is found without reading the others
 *   manifest:<id>   string  its manifest
 *   staged:<id>     hash    what processors made of it (staged-segment.ts)
 *   staged:<id>.<attempt>   the same, while it is being written
 *   quarantine      list    chunks that can't be read any more (quarantine.ts), at most 1,000
 *
 *   queue           hash    the lane: paused, braked, failureCount, claimAtMs, lastFailure (JSON); `next`, the
 *                           batch whose job waits, with nextIn (which of BullMQ's queues), nextAtMs and
 *                           nextBy (the call that chose it); recordCount and dataBytes of all that is queued
 *   queued          zset    batches in the queue, by arrival of their first record; a receipt takes them off
 *   due             list    those that wait for their turn, in their order
 *   later           zset    those that failed, by the time of their next attempt
 *   inflight        hash    those that are claimed: id → token of the claim
 *   lent            set     those of them that are lent
 *   parked          set
 *   entry:<id>      hash    a batch in the queue: facts, recordCount, dataBytes, attempt, lastFailure; heldBy,
 *                           the token of its last claim, and heldIn, the queue of BullMQ that it came from
 *
 *   books           hash    accepted, made, delivered, dropped, errored, quarantined
 *   accepted        set     batches that are in `accepted` of the books and have no receipt yet
 *   receipts        hash    receipts by batch
 *   delivered       zset    batches with a receipt, by the time of their delivery
 *   replays         hash    replayed parts by batch
 *   replayorder     hash    by source: the ids of its parts' batches, back to back, as they were entered
 *   imported        set     batches of replayed parts that were entered as accepted
 *   touched         string  written before each wait for replicas (durable-scripts.ts); expires after an hour
 *   gone            string  the stream is deleted: nothing is entered any more; expires after a day
 *
 * Under `<prefix>:{catalog}:…`:
 *
 *   streams         hash    delivery streams by name (stream-table.ts)
 *   ids             hash    names by stream id
 *   revision        string  counts changes of the streams; each is also published on `<prefix>:changes`
 *   lanes           hash    `<streamId>/<lane>` of every lane that was ever used (lanes.ts)
 *
 * Under `<prefix>:{queue}:…` lie BullMQ's own keys, and the reconciler's locks.
 */
import type { BatchId } from '../batch.ts'

/** The name of a lane, as it stands between the braces. */
export function laneName(streamId: string, lane = 0): string {
  return lane === 0 ? streamId : `${streamId}/${lane}`
}

/** The stream and number of a lane. */
export function parseLaneName(name: string): { readonly streamId: string; readonly lane: number } {
  const [streamId = '', lane] = name.split('/')
  return { streamId, lane: Number(lane ?? 0) }
}

/** Another key of the lane that has `key`. */
export function siblingKey(key: string, what: LaneThing): string {
  return key.slice(0, key.indexOf('}:') + 2) + what
}

/** Keys of one lane, by the words above. */
export class LaneKeys {
  readonly #base: string

  constructor(prefix: string, streamId: string, lane = 0) {
    this.#base = `${prefix}:{${laneName(streamId, lane)}}:`
  }

  of(what: LaneThing): string {
    return this.#base + what
  }

  ofBatch(what: BatchThing, batchId: BatchId): string {
    return `${this.#base}${what}:${batchId}`
  }
}

export type LaneThing =
  | 'open'
  | 'writers'
  | 'positions'
  | 'requests'
  | 'requestorder'
  | 'readers'
  | 'leases'
  | 'sealed'
  | 'usage'
  | 'quarantine'
  | 'queue'
  | 'queued'
  | 'due'
  | 'later'
  | 'inflight'
  | 'lent'
  | 'parked'
  | 'books'
  | 'accepted'
  | 'receipts'
  | 'delivered'
  | 'replays'
  | 'replayorder'
  | 'imported'
  | 'gone'
  | 'touched'

export type BatchThing = 'batch' | 'chunks' | 'index' | 'manifest' | 'staged' | 'entry'

export type CatalogThing = 'streams' | 'ids' | 'revision' | 'lanes'

export class Keys {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  lane(streamId: string, lane = 0): LaneKeys {
    return new LaneKeys(this.prefix, streamId, lane)
  }

  catalog(what: CatalogThing): string {
    return `${this.prefix}:{catalog}:${what}`
  }

  /** Channel on which changes of the streams are published. */
  get changes(): string {
    return `${this.prefix}:changes`
  }

  /** BullMQ's prefix; the braces keep all of its keys on one node. */
  get queuePrefix(): string {
    return `${this.prefix}:{queue}`
  }
}
