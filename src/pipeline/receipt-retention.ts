import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Catalog } from '../catalog.ts'

const HOUR_MS = 3_600_000

export interface ReceiptRetentionOptions {
  readonly catalog: Catalog
  readonly retentionMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Forgets receipts as they grow too old, until the signal aborts. */
export async function forgetOldReceipts(
  { catalog, retentionMs, clock, logger }: ReceiptRetentionOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await catalog.pruneReceipts(clock.nowMs() - retentionMs)
    } catch (error) {
      logger.warn({ error }, 'Old receipts were not forgotten; the next hour tries again.')
    }
    await clock.sleep(HOUR_MS, signal)
  }
}
