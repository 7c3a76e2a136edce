import { Cluster } from 'ioredis'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { AppendError } from '../../batch-store.ts'
import type { StoreUsage } from '../../batch-store.ts'
import { forLanes } from '../for-lanes.ts'
import { insist } from '../insist.ts'
import { laneName } from '../keys.ts'
import type { Keys } from '../keys.ts'
import type { LaneUsage } from './lane-scripts.ts'
import type { Lane, Lanes } from '../lanes.ts'
import type { RedisClient } from '../scripts.ts'

/** What the largest PutRecordBatch brings; with less room than this the store is as good as full. */
const LARGEST_PUT_BYTES = 4 * 1024 * 1024

/** How old the knowledge of what other processes have stored may be. */
const LOOK_AT_LANES_MS = 5_000
/** How old the knowledge of the servers' memory may be. */
const LOOK_AT_MEMORY_MS = 500

export interface RoomLimits {
  /** What batches, open and sealed, and what is staged of them may occupy together. */
  readonly quotaBytes: number
  readonly batchesMax: number
  /**
   * Appends are refused when so much of a server's maxmemory is used, from 0 to 1. The rest is for what
   * leads to room: manifests, staging, jobs, receipts.
   */
  readonly memoryShareMax: number
}

export interface MemoryRoomOptions {
  readonly limits: RoomLimits
  readonly client: RedisClient
  readonly keys: Keys
  readonly lanes: Lanes
  readonly clock: Clock
  readonly logger: Logger
}

interface KnownUsage extends LaneUsage {
  readonly quarantinedCount: number
}

/**
 * Admission to the store, by what this process knows: what it has done itself at once, what others have
 * done some seconds later. The fullest of a cluster's servers decides for all.
 */
export class MemoryRoom {
  readonly #options: MemoryRoomOptions
  #lanes = new Map<string, KnownUsage>()
  /** Sums of them. */
  #storedBytes = 0
  #batchCount = 0
  #quarantinedCount = 0
  /** What the fullest server may still take; infinite without maxmemory. */
  #freeBytes = Infinity
  /** Redis has not told for seconds: it is not likely to take anything. */
  #isBlind = false
  #lanesLookedAtMs = -Infinity
  #memoryLookedAtMs = -Infinity

  constructor(options: MemoryRoomOptions) {
    this.#options = options
  }

  /** Looks at lanes and servers, where the last look is too old. What fails is tried again soon. */
  async refresh(): Promise<void> {
    const { clock, logger } = this.#options
    const nowMs = clock.monotonicMs()
    const looks: Promise<void>[] = []
    if (nowMs - this.#memoryLookedAtMs >= LOOK_AT_MEMORY_MS) {
      this.#memoryLookedAtMs = nowMs
      looks.push(insist(() => this.#lookAtMemory(), { clock }))
    }
    if (nowMs - this.#lanesLookedAtMs >= LOOK_AT_LANES_MS) {
      this.#lanesLookedAtMs = nowMs
      looks.push(insist(() => this.#lookAtLanes(), { clock }))
    }
    for (const look of await Promise.allSettled(looks)) {
      if (look.status === 'fulfilled') {
        this.#isBlind = false
      } else if (!this.#isBlind) {
        this.#isBlind = true
        logger.warn({ error: look.reason }, 'Redis does not tell how much room it has.')
      }
    }
  }

  /**
   * Why `sizeBytes` more, in `newBatches` new batches, can't be taken; undefined when they can.
   * @param unboundBytes are in Redis, and belong to no batch yet
   */
  refusal(sizeBytes: number, newBatches: number, unboundBytes = 0): AppendError | undefined {
    const { quotaBytes, batchesMax } = this.#options.limits
    if (this.#storedBytes + unboundBytes + sizeBytes > quotaBytes)
      return full('the quota is used up')
    if (sizeBytes > this.#freeBytes) return full('Redis has no memory to spare')
    if (this.#batchCount + newBatches > batchesMax) return full('there are too many batches')
    return undefined
  }

  /** So much is on its way to Redis. */
  send(sizeBytes: number): void {
    this.#freeBytes -= sizeBytes
  }

  /** Takes down what a script has said of its lane. */
  note(lane: Lane, usage: LaneUsage): void {
    const name = laneName(lane.streamId, lane.lane)
    const quarantinedCount = this.#lanes.get(name)?.quarantinedCount ?? 0
    this.#know(name, { ...usage, quarantinedCount })
  }

  /** Looks at a lane in which somebody else has done something for us. */
  async lookAt(lane: Lane): Promise<void> {
    this.#know(laneName(lane.streamId, lane.lane), await this.#usageOf(lane))
  }

  usage(): StoreUsage {
    const { quotaBytes } = this.#options.limits
    const usefulBytes = Math.max(1, Math.min(LARGEST_PUT_BYTES, quotaBytes / 16))
    return {
      storedBytes: this.#storedBytes,
      quotaBytes,
      batchCount: this.#batchCount,
      quarantinedChunkCount: this.#quarantinedCount,
      accepting: !this.#isBlind && this.refusal(usefulBytes, 1) === undefined,
    }
  }

  #know(name: string, usage: KnownUsage): void {
    const known = this.#lanes.get(name)
    this.#lanes.set(name, usage)
    this.#storedBytes += usage.storedBytes - (known?.storedBytes ?? 0)
    this.#batchCount += usage.batchCount - (known?.batchCount ?? 0)
    this.#quarantinedCount += usage.quarantinedCount - (known?.quarantinedCount ?? 0)
  }

  async #lookAtLanes(): Promise<void> {
    const lanes = await this.#options.lanes.all()
    const current = new Set(lanes.map(({ streamId, lane }) => laneName(streamId, lane)))
    for (const name of this.#lanes.keys()) {
      if (current.has(name)) continue
      this.#know(name, { storedBytes: 0, batchCount: 0, quarantinedCount: 0 })
      this.#lanes.delete(name)
    }
    await forLanes(lanes, (lane) => this.lookAt(lane))
  }

  async #usageOf({ streamId, lane }: Lane): Promise<KnownUsage> {
    const { client, keys } = this.#options
    const fields = ['storedBytes', 'batchCount', 'quarantinedCount']
    const found = await client.hmget(keys.lane(streamId, lane).of('usage'), ...fields)
    const [storedBytes = 0, batchCount = 0, quarantinedCount = 0] = found.map(Number)
    return { storedBytes, batchCount, quarantinedCount }
  }

  async #lookAtMemory(): Promise<void> {
    const { client, limits } = this.#options
    const servers = client instanceof Cluster ? client.nodes('master') : [client]
    const infos = await Promise.all(servers.map((server) => server.info('memory')))
    const free = infos.map((info) => {
      const maxBytes = numberOf(info, 'maxmemory')
      const limitBytes = maxBytes === 0 ? Infinity : maxBytes * limits.memoryShareMax
      return limitBytes - numberOf(info, 'used_memory')
    })
    this.#freeBytes = Math.min(...free)
  }
}

function numberOf(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
}

function full(why: string): AppendError {
  return new AppendError('full', `Cannot append: ${why}`)
}
