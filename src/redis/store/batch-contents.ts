import { strict as assert } from 'node:assert'
import type { Logger } from '../../base/logger.ts'
import type { SealedBatch } from '../../batch.ts'
import type { BatchContents, BatchReading } from '../../batch-store.ts'
import type { Manifest, OrdinalRange } from '../../manifest.ts'
import type { StagedBatch, StagingWriter } from '../../staging.ts'
import { RedisBatchReading } from './batch-reading.ts'
import { decodeManifestValue, encodeManifestValue } from './manifest-value.ts'
import { Quarantine } from './quarantine.ts'
import { SealedBatches } from './sealed-batches.ts'
import type { SealedBatchesOptions } from './sealed-batches.ts'
import { RedisStaging } from './staging.ts'

export interface RedisBatchContentsOptions extends SealedBatchesOptions {
  readonly logger: Logger
}

/** Sealed batches in Redis: what a worker needs of the store, in its own thread. */
export class RedisBatchContents implements BatchContents {
  readonly #batches: SealedBatches
  readonly #quarantine: Quarantine
  readonly #staging: RedisStaging

  constructor(options: RedisBatchContentsOptions) {
    const { clock, logger } = options
    const batches = new SealedBatches(options)
    this.#batches = batches
    this.#quarantine = new Quarantine({ batches, clock, logger })
    this.#staging = new RedisStaging({ batches, clock })
  }

  read(batch: SealedBatch, range?: OrdinalRange): BatchReading {
    return new RedisBatchReading(batch, range, this.#batches, this.#quarantine)
  }

  async manifest(batch: SealedBatch): Promise<Manifest | undefined> {
    const value = await this.#batches.ask((client) =>
      client.getBuffer(this.#batches.key(batch, 'manifest')),
    )
    return value === null ? undefined : decodeManifestValue(value, batch.batchId)
  }

  async freeze(batch: SealedBatch, manifest: Manifest): Promise<void> {
    assert.equal(manifest.batchId, batch.batchId, 'a manifest is frozen for its own batch')
    const keys = (['batch', 'entry', 'manifest'] as const).map((what) =>
      this.#batches.key(batch, what),
    )
    await this.#batches.runHeld(batch, 'freeze', keys, [await encodeManifestValue(manifest)])
  }

  async thaw(batch: SealedBatch): Promise<void> {
    const keys = [this.#batches.key(batch, 'entry'), this.#batches.key(batch, 'manifest')]
    await this.#batches.runHeld(batch, 'thaw', keys)
  }

  stage(batch: SealedBatch): Promise<StagingWriter> {
    return this.#staging.stage(batch)
  }

  staged(batch: SealedBatch): Promise<StagedBatch | undefined> {
    return this.#staging.staged(batch)
  }

  unstage(batch: SealedBatch): Promise<void> {
    return this.#staging.unstage(batch)
  }
}
