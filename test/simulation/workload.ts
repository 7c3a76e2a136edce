/** What the outside does to a running engine: clients put records, an operator changes streams. */
import { strict as assert } from 'node:assert'
import type { Clock } from '../../src/base/clock.ts'
import { AppendError } from '../../src/batch-store.ts'
import { chunkOf } from '../../src/chunk.ts'
import type { Chance } from './chance.ts'
import type { Engine } from './engine.ts'
import type { Put } from './oracle.ts'
import { isSplit, withNextVersion } from './streams.ts'

const PRODUCERS = 3
const RECORDS_MAX = 6
const RECORD_BYTES_MAX = 160
const PARTS_MAX = 4

interface WorkloadOptions {
  readonly streamIds: readonly [string, ...string[]]
  readonly chance: Chance
  readonly note: (text: string) => void
}

export class Workload {
  /** All that was ever put, by whichever process it was taken. */
  readonly puts: Put[] = []
  readonly #options: WorkloadOptions
  #recordCount = 0

  constructor(options: WorkloadOptions) {
    this.#options = options
  }

  /**
   * Clients and operator of one process, until the signal aborts. Rejects when the engine answers as
   * it must not.
   */
  async run(engine: Engine, clock: Clock, signal: AbortSignal): Promise<void> {
    const producers = Array.from({ length: PRODUCERS }, () => this.#produce(engine, clock, signal))
    await Promise.all([...producers, this.#operate(engine, clock, signal)])
  }

  async #produce(engine: Engine, clock: Clock, signal: AbortSignal): Promise<void> {
    const { chance, streamIds } = this.#options
    while (!signal.aborted) {
      await clock.sleep(
        chance.happens(0.1) ? chance.between(100, 2_000) : chance.between(1, 40),
        signal,
      )
      if (!signal.aborted) await this.#put(engine, clock, chance.pick(streamIds))
    }
  }

  async #put(engine: Engine, clock: Clock, streamId: string): Promise<void> {
    const stream = engine.registry.byId(streamId)
    assert(stream !== undefined)
    const make = isSplit(stream)
      ? () => this.#makeObjects(streamId)
      : () => this.#makeText(streamId)
    const records = Array.from({ length: this.#options.chance.integer(1, RECORDS_MAX) }, make)
    const put: Put = { streamId, records, answer: 'cut short', mayLinger: false }
    this.puts.push(put)
    const bytes = records.map((record) => Buffer.from(record, 'latin1'))
    try {
      put.appended = await engine.intake.append(stream, chunkOf(bytes, clock.nowMs()))
      put.answer = 'acknowledged'
    } catch (error) {
      if (!(error instanceof AppendError)) throw error
      put.answer = error.reason
    }
    this.#options.note(`${put.answer} ${records[0]} +${records.length - 1}`)
  }

  #makeText(streamId: string): string {
    const { chance } = this.#options
    this.#recordCount += 1
    const fill = '.'.repeat(chance.integer(0, RECORD_BYTES_MAX))
    return `${streamId}:${this.#recordCount}${fill}`
  }

  /** A record to be taken apart into several, or now and then one that can't be. */
  #makeObjects(streamId: string): string {
    const { chance } = this.#options
    if (chance.happens(0.1)) return this.#makeText(streamId)
    const parts = Array.from(
      { length: chance.integer(1, PARTS_MAX) },
      () => `{"${this.#makeText(streamId)}":0}`,
    )
    return parts.join('')
  }

  /** Updates, flushes, pauses and resumes streams as the API's operations do. */
  async #operate(engine: Engine, clock: Clock, signal: AbortSignal): Promise<void> {
    const { chance, streamIds, note } = this.#options
    for (;;) {
      await clock.sleep(chance.between(100, 1_500), signal)
      if (signal.aborted) return
      const streamId = chance.pick(streamIds)
      const act = chance.pick(['update', 'update', 'flush', 'pause', 'resume'] as const)
      note(`operator: ${act} ${streamId}`)
      // A catalog that fails is the operator's error message, and no more.
      if (act === 'update')
        await this.#update(engine, streamId).catch((error: Error) => note(error.message))
      else if (act === 'flush') await engine.intake.seal(streamId, 'flush')
      else if (act === 'pause') await engine.queue.pause(streamId)
      else await engine.queue.resume(streamId)
    }
  }

  async #update(engine: Engine, streamId: string): Promise<void> {
    await engine.intake.seal(streamId, 'update')
    await engine.registry.change(streamId, (stream) =>
      withNextVersion(stream, this.#options.chance),
    )
  }
}
