import type { BatchId, SealedBatch } from '../batch.ts'
import type { BatchStore, KeyRing } from '../batch-store.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogTransfer } from '../catalog-transfer.ts'

/** Where everything moves from, or to: what a backend keeps, with nobody working on it. */
export interface TransferPlace {
  readonly store: BatchStore
  readonly catalog: Catalog
  readonly catalogTransfer: CatalogTransfer
  readonly keyRing: KeyRing
  /** How often the place has said that something can't be read or recovered. */
  errorCount(): number
  /** A batch that was sealed since the place was opened, told once. */
  takeSealed(batchId: BatchId): SealedBatch | undefined
  /** Lets nothing of a stream be delivered until it is resumed; it need not be in the catalog yet. */
  pause(streamId: string): Promise<void>
  /** @throws Error when a service works there, as far as that can be told */
  refuseService(): Promise<void>
}
