import type { BufferPool } from '../base/buffer-pool.ts'
import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'
import type { Metrics } from '../base/metrics.ts'
import type { BatchStore, DataKey } from '../batch-store.ts'
import type { Catalog } from '../catalog.ts'
import type { DeliveryQueue } from '../delivery-queue.ts'
import type { SourceTypeName } from '../delivery-stream.ts'
import type { ConfigurationContext, DestinationType } from '../destination.ts'
import type { Explainer } from '../explanation.ts'
import type { FunctionReports } from '../functions.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { Ledger } from '../pipeline/ledger.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import type { Replays } from '../replay.ts'
import type { SourceType } from '../source.ts'
import type { SourceReports } from '../source-reports.ts'

/** Makes data keys for server-side encryption; absent when no wrapping key is configured. */
export interface DataKeyMaker {
  makeDataKey(): DataKey
}

/** What the operations of the API work with. */
export interface ApiContext {
  readonly accountId: string
  readonly region: string
  readonly configuration: ConfigurationContext
  readonly destinations: ReadonlyMap<string, DestinationType>
  readonly sources: ReadonlyMap<SourceTypeName, SourceType>
  readonly registry: StreamRegistry
  readonly intake: Intake
  readonly store: BatchStore
  readonly queue: DeliveryQueue
  readonly catalog: Catalog
  /** Books and backlog of a stream, in one piece. */
  readonly ledger: Ledger
  readonly replays: Replays
  readonly functionReports: FunctionReports
  readonly sourceReports: SourceReports
  readonly explainer: Explainer
  /**
   * Looks for what a destination's configuration names outside of itself: its function, its table.
   * @throws ConfigurationError
   */
  checkProcessing(destination: JsonObject): Promise<void>
  readonly dataKeys: DataKeyMaker | undefined
  /** For bodies and payloads, which live as long as their request. */
  readonly buffers: BufferPool
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}
