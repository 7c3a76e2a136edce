/** What the composition root needs of a backend: the three contracts, and what belongs to them. */
import type { RedisPlace } from '../backend.ts'
import type { BatchStore, KeyRing } from '../batch-store.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Catalog } from '../catalog.ts'
import type { DeliveryQueue } from '../delivery-queue.ts'
import type { BacklogOptions } from '../pipeline/backlog.ts'
import type { PartitionLeases } from '../partition-leases.ts'
import type { Ledger } from '../pipeline/ledger.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import type { Acknowledge } from '../redis/durable-scripts.ts'
import type { Settings } from '../settings.ts'

/** Batches that a worker thread has in hand at once; most of them wait for the network. */
export const CLAIMS_PER_THREAD = 8

/**
 * What a process does: all of it; or only receive, or only deliver, beside others on the same Redis.
 */
export type Role = 'all' | 'api' | 'worker'

export interface BackendOptions {
  readonly settings: Settings
  readonly role: Role
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly logger: Logger
  /** There by the time that something is recovered or run. */
  readonly registry: () => StreamRegistry
}

export interface OpenedBackend {
  readonly catalog: Catalog
  readonly store: BatchStore
  readonly queue: DeliveryQueue
  /** Who reads which partition of a source. */
  readonly leases: PartitionLeases
  readonly ledger: Ledger
  /** What delivery threads open for themselves. */
  readonly contents: ThreadContents
  /** Other processes go on with what this one leaves, and have it open meanwhile. */
  readonly isShared: boolean
  /** Puts what earlier processes left into the queue. */
  recover(options: BacklogOptions): Promise<void>
  /** What runs beside intake and delivery, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** How a delivery thread reads batches, in terms that can be cloned. */
export type ThreadContents =
  | {
      readonly kind: 'files'
      readonly dataDirectory: string
      /** What the node's store counts in (StagedBytes). */
      readonly stagedBytes: SharedArrayBuffer
      /** Half of what puts leave free: processing goes on where they are refused. */
      readonly stagingFreeBytesMin: number
    }
  | { readonly kind: 'redis'; readonly place: RedisPlace; readonly acknowledge: Acknowledge }
