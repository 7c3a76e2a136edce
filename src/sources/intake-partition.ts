/** One partition's way in: chunk after chunk, each in its turn, each until it is durable. */
import { strict as assert } from 'node:assert'
import { BackendUnavailable } from '../backend.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Chunk } from '../batch.ts'
import { AppendError } from '../batch-store.ts'
import type { PartitionPosition } from '../chunk-origin.ts'
import { chunkDataBytes, chunkOf, withMetadata } from '../chunk.ts'
import { SourceError } from '../source.ts'
import type { SourcePartition, SourceRecord } from '../source.ts'
import type { Admission } from './admission.ts'
import { cutRecords } from './chunk-cuts.ts'
import type { SourceTally } from './source-tally.ts'

/** No batch is smaller. */
const CHUNK_LIMITS = { recordCountMax: 10_000, bytesMax: 1024 * 1024 }
const RETRY = { firstMs: 100, maxMs: 5_000 }

export interface IntakePartitionOptions {
  readonly admission: Admission
  readonly tally: SourceTally
  readonly clock: Clock
  readonly wantsMetadata: () => boolean
  /**
   * Resolves when the chunk is durable.
   * @throws AppendError, BackendUnavailable, PositionMoved
   */
  readonly append: (chunk: Chunk) => Promise<unknown>
}

export class IntakePartition implements SourcePartition {
  readonly partition: string
  readonly #options: IntakePartitionOptions
  #sequence: number
  #position: string | undefined
  #appending = false

  /** @param known how far it is read; undefined: not at all */
  constructor(
    partition: string,
    known: PartitionPosition | undefined,
    options: IntakePartitionOptions,
  ) {
    this.partition = partition
    this.#options = options
    this.#sequence = known?.sequence ?? 0
    this.#position = known?.position
  }

  get position(): string | undefined {
    return this.#position
  }

  async append(records: readonly SourceRecord[], signal: AbortSignal): Promise<void> {
    assert(!this.#appending, `${this.partition} has one reader at a time`)
    this.#appending = true
    try {
      const wantsMetadata = this.#options.wantsMetadata()
      const sizeOf = wantsMetadata ? sizeWithMetadata : dataSize
      for (const cut of cutRecords(records, CHUNK_LIMITS, sizeOf)) {
        await this.#appendCut(cut, wantsMetadata, signal)
      }
    } finally {
      this.#appending = false
    }
  }

  /**
   * Repeats itself with the same origin, so that a chunk that is there after all is not there twice:
   * then its position has moved.
   */
  async #appendCut(
    records: readonly SourceRecord[],
    wantsMetadata: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { admission, tally, clock, append } = this.#options
    const { partition } = this
    const { position } = records.at(-1) ?? assert.fail('a cut has records')
    const sequence = this.#sequence + 1
    const chunk = chunkOfRecords(records, wantsMetadata)
    for (let attempt = 1; ; attempt += 1) {
      await admission.admit(signal)
      try {
        const origin = { partition, sequence, position }
        await append({ ...chunk, arrivalMs: clock.nowMs(), origin })
        break
      } catch (error) {
        const failure = passingFailure(error)
        if (failure === undefined) throw error
        tally.failed(failure)
        await clock.sleep(backoffMs(RETRY, attempt, clock), signal)
        signal.throwIfAborted()
      }
    }
    this.#sequence = sequence
    this.#position = position
    const dataBytes = chunkDataBytes(chunk)
    admission.taken(dataBytes)
    tally.taken(partition, position, records.length, dataBytes)
  }
}

function chunkOfRecords(records: readonly SourceRecord[], wantsMetadata: boolean): Chunk {
  const chunk = chunkOf(
    records.map(({ data }) => data),
    0,
  )
  if (!wantsMetadata || records.every(({ metadata }) => metadata === undefined)) return chunk
  return withMetadata(
    chunk,
    records.map(({ metadata }) => metadata ?? {}),
  )
}

function dataSize({ data }: SourceRecord): number {
  return data.byteLength
}

function sizeWithMetadata({ data, metadata }: SourceRecord): number {
  return (
    data.byteLength + (metadata === undefined ? 0 : Buffer.byteLength(JSON.stringify(metadata)))
  )
}

/** What the store will recover from; undefined: something else. */
export function passingFailure(error: unknown): SourceError | undefined {
  if (error instanceof BackendUnavailable) {
    return new SourceError('Store.Unavailable', error.message, { cause: error })
  }
  if (!(error instanceof AppendError)) return undefined
  const errorCode = error.reason === 'full' ? 'Store.Full' : 'Store.Failed'
  return new SourceError(errorCode, error.message, { cause: error })
}
