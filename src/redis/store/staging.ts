import type { Clock } from '../../base/clock.ts'
import type { SealedBatch } from '../../batch.ts'
import type { StagedBatch, Staging, StagingWriter } from '../../staging.ts'
import type { SealedBatches } from './sealed-batches.ts'
import { RedisStaged, Segments } from './staged-reader.ts'
import { ATTEMPT_BYTES, SegmentCodec } from './staged-segment.ts'
import { RedisStagingWriter } from './staged-writer.ts'
import type { StagingPlace } from './staged-writer.ts'

/** What an attempt has put is gone when it has put nothing more, nor finished, for so long. */
const UNFINISHED_SECONDS = 3_600

export interface RedisStagingOptions {
  readonly batches: SealedBatches
  readonly clock: Clock
}

/**
 * Staging beside the batch. Each attempt has a key of its own, `staged:<id>.<attempt>`, which takes the
 * place of `staged:<id>` when it is finished. What is finished counts in the lane's `usage`, and stands as
 * `stagedBytes` in `batch:<id>`, so that whoever removes the batch gives the room back.
 */
export class RedisStaging implements Staging {
  readonly #batches: SealedBatches
  readonly #clock: Clock

  constructor({ batches, clock }: RedisStagingOptions) {
    this.#batches = batches
    this.#clock = clock
  }

  async stage(batch: SealedBatch): Promise<StagingWriter> {
    const attempt = this.#clock.randomBytes(ATTEMPT_BYTES).toString('hex')
    const dataKey = await this.#batches.dataKey(batch)
    const codec = new SegmentCodec(batch.batchId, attempt, dataKey)
    return new RedisStagingWriter(this.#placeFor(batch, attempt), codec)
  }

  async staged(batch: SealedBatch): Promise<StagedBatch | undefined> {
    const key = this.#batches.key(batch, 'staged')
    const [attempt, index] = await this.#batches.ask((client) =>
      client.hmgetBuffer(key, 'attempt', 'index'),
    )
    if (!attempt) return undefined
    const dataKey = await this.#batches.dataKey(batch)
    const codec = new SegmentCodec(batch.batchId, attempt.toString(), dataKey)
    const segments = new Segments(batch.batchId, codec, (number) =>
      this.#batches.ask((client) => client.hgetBuffer(key, String(number))),
    )
    return RedisStaged.open(index ?? null, segments)
  }

  async unstage(batch: SealedBatch): Promise<void> {
    const keys = (['batch', 'entry', 'staged'] as const).map((what) =>
      this.#batches.key(batch, what),
    )
    await this.#batches.runHeld(batch, 'unstage', [...keys, this.#batches.laneKey(batch, 'usage')])
  }

  #placeFor(batch: SealedBatch, attempt: string): StagingPlace {
    const batches = this.#batches
    const [batchKey, entry] = [batches.key(batch, 'batch'), batches.key(batch, 'entry')]
    const staged = batches.key(batch, 'staged')
    const unfinished = `${staged}.${attempt}`
    return {
      put: (number, segment) =>
        batches.runHeldFast(
          batch,
          'stage-segment',
          [batchKey, entry, unfinished],
          [number, segment, UNFINISHED_SECONDS],
        ),
      publish: async (segmentCount, index, sizeBytes) => {
        const usage = batches.laneKey(batch, 'usage')
        const keys = [batchKey, entry, unfinished, staged, usage]
        const facts = [attempt, segmentCount, index, sizeBytes]
        const answer = await batches.runHeld(batch, 'stage-finish', keys, facts)
        if (answer === -1) {
          throw new Error(`Cannot stage batch ${batch.batchId}: what was put first has expired`)
        }
      },
      remove: async () => void (await batches.ask((client) => client.unlink(unfinished))),
    }
  }
}
