import type { Clock } from '../../base/clock.ts'
import { ClaimLost } from '../../batch.ts'
import type { SealedBatch } from '../../batch.ts'
import type { KeyRing } from '../../batch-store.ts'
import { insist } from '../insist.ts'
import type { BatchThing, Keys, LaneKeys, LaneThing } from '../keys.ts'
import type { RedisClient, ScriptArgument, ScriptRunner } from '../scripts.ts'

/** A server that restarts or is replaced is back by then, or the attempt fails. */

export interface SealedBatchesOptions {
  readonly client: RedisClient
  readonly scripts: ScriptRunner
  /** Runs what must not be lost once it is answered. */
  readonly durable: ScriptRunner
  readonly keys: Keys
  readonly keyRing: KeyRing
  readonly clock: Clock
}

/** What all that is done to a sealed batch has in common: its keys, its claim, a Redis that may fail. */
export class SealedBatches {
  readonly #options: SealedBatchesOptions

  constructor(options: SealedBatchesOptions) {
    this.#options = options
  }

  key(batch: SealedBatch, what: BatchThing): string {
    return this.#laneOf(batch).ofBatch(what, batch.batchId)
  }

  laneKey(batch: SealedBatch, what: LaneThing): string {
    return this.#laneOf(batch).of(what)
  }

  /** Reads; again while Redis fails in a way that passes. */
  ask<Answer>(read: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    return this.#insist(() => read(this.#options.client))
  }

  /** Runs a script that bears to be run twice. */
  run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.#insist(() => this.#options.scripts.run(name, keys, args))
  }

  /**
   * Runs a script that takes the token of the claim first, durably.
   * @returns its answer
   * @throws ClaimLost when that is 0
   */
  runHeld(
    batch: SealedBatch,
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[] = [],
  ): Promise<unknown> {
    return this.#runHeld(this.#options.durable, batch, name, keys, args)
  }

  /** As `runHeld`, for what is worth nothing before something else is durable. */
  async runHeldFast(
    batch: SealedBatch,
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<void> {
    await this.#runHeld(this.#options.scripts, batch, name, keys, args)
  }

  /**
   * The plain data key of a batch; undefined when it has none.
   * @throws KeyUnavailable; ClaimLost or Error when the batch is gone
   */
  async dataKey(batch: SealedBatch): Promise<Buffer | undefined> {
    const [facts, wrapped] = await this.ask((client) =>
      client.hmget(this.key(batch, 'batch'), 'facts', 'wrappedDataKey'),
    )
    if (facts === null || facts === undefined) throw gone(batch)
    return typeof wrapped === 'string' ? this.#options.keyRing.unwrap(wrapped) : undefined
  }

  async #runHeld(
    runner: ScriptRunner,
    batch: SealedBatch,
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    const held = [batch.heldBy ?? '', ...args]
    const answer = await this.#insist(() => runner.run(name, keys, held))
    if (answer === 0) throw lost(batch)
    return answer
  }

  #laneOf({ streamId, lane }: SealedBatch): LaneKeys {
    return this.#options.keys.lane(streamId, lane)
  }

  #insist<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return insist(ask, this.#options)
  }
}

/** A batch that is claimed and gone has been delivered by another that claimed it since. */
export function gone(batch: SealedBatch): Error {
  if (batch.heldBy !== undefined) return lost(batch)
  return new Error(`Cannot find batch ${batch.batchId}: it is gone`)
}

function lost({ batchId }: SealedBatch): ClaimLost {
  return new ClaimLost(`Cannot go on with batch ${batchId}: another process has claimed it`)
}
