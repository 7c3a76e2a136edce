/**
 * S3 as the engine meets it: conditional puts over a network. It stands outside the machine, so that
 * a request on its way when a process dies still arrives. What goes wrong, and why the engine is
 * expected to survive it:
 *
 * - A put is refused before it has applied (503, 403): it is tried again under the same name; an
 *   operator's fault (403) brakes the stream, which probes.
 * - A put has applied and the answer is lost: the repeat has the same name and the same bytes, and is
 *   a success.
 * - A put hangs until its caller gives up, then applies all the same, any time later.
 */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import type { OutputContent } from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { ObjectStore, PutObject } from '../../src/object-store.ts'
import type { Chance } from './chance.ts'
import type { Owner, Scheduler } from './scheduler.ts'
import { THE_WORLD } from './scheduler.ts'

/** Probabilities. */
export interface ObjectStoreFaults {
  unavailable: number
  forbidden: number
  answerLost: number
  hangs: number
}

export const NO_OBJECT_STORE_FAULTS: ObjectStoreFaults = {
  unavailable: 0,
  forbidden: 0,
  answerLost: 0,
  hangs: 0,
}

/** How long a client waits for an answer. */
const REQUEST_MS_MAX = 30_000

export class SimulatedBuckets {
  faults = NO_OBJECT_STORE_FAULTS
  /** By `bucket/key`. */
  readonly objects = new Map<string, Buffer>()
  /** Keys that were put with other bytes than they hold. */
  readonly conflicts: string[] = []
  readonly #scheduler: Scheduler
  readonly #chance: Chance

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler
    this.#chance = chance
  }

  /** The store as one process reaches it: when that is dead, no answers arrive. */
  connect(owner: Owner): ObjectStore {
    return {
      description: 'simulated buckets',
      put: (object, signal) => this.#put(owner, object, signal),
      close: () => Promise.resolve(),
    }
  }

  async #put(owner: Owner, object: PutObject, signal: AbortSignal): Promise<void> {
    const name = `${object.bucket}/${object.key}`
    const { formerSha256s } = object
    const bytes = await wholeOf(object.content)
    const chance = this.#chance
    const arrivesAfterMs = chance.happens(0.05) ? 3_000 : chance.between(1, 60)
    if (chance.happens(this.faults.unavailable)) {
      await this.#answer(owner, 'put 503', arrivesAfterMs)
      throw new DeliveryError('S3.SlowDown', 'Cannot put: 503', { retryable: true, effect: 'none' })
    }
    if (chance.happens(this.faults.forbidden)) {
      await this.#answer(owner, 'put 403', arrivesAfterMs)
      const options = { retryable: true, effect: 'none', brake: true } as const
      throw new DeliveryError('S3.AccessDenied', 'Cannot put: 403', options)
    }
    if (chance.happens(this.faults.hangs)) {
      this.#applyAfter(chance.between(1, 4 * REQUEST_MS_MAX), name, bytes, formerSha256s)
      await this.#hang(owner, signal)
      const options = { retryable: true, effect: 'unknown' } as const
      throw new DeliveryError('S3.RequestTimeout', 'Cannot put: no answer', options)
    }
    this.#applyAfter(arrivesAfterMs, name, bytes, formerSha256s)
    await this.#answer(owner, 'put answered', arrivesAfterMs + chance.between(0, 20))
    if (chance.happens(this.faults.answerLost)) {
      const options = { retryable: true, effect: 'unknown' } as const
      throw new DeliveryError('S3.ConnectionReset', 'Cannot put: connection was reset', options)
    }
    if (!this.#holds(name, bytes, formerSha256s)) {
      const options = { retryable: true, effect: 'unknown' } as const
      throw new DeliveryError('S3.Conflict', 'Cannot put: key holds other bytes', options)
    }
  }

  #applyAfter(
    delayMs: number,
    name: string,
    bytes: Buffer,
    formerSha256s: readonly string[],
  ): void {
    this.#scheduler.after(delayMs, THE_WORLD, `put applies ${name}`, () => {
      if (!this.objects.has(name)) this.objects.set(name, bytes)
      else if (!this.#holds(name, bytes, formerSha256s)) this.conflicts.push(name)
    })
  }

  #holds(name: string, bytes: Buffer, formerSha256s: readonly string[]): boolean {
    const existing = this.objects.get(name)
    if (existing === undefined) return false
    if (existing.equals(bytes)) return true
    return formerSha256s.includes(createHash('sha256').update(existing).digest('hex'))
  }

  #answer(owner: Owner, name: string, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(delayMs, owner, name, resolve)
    })
  }

  #hang(owner: Owner, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(REQUEST_MS_MAX, owner, 'put timed out', resolve)
      signal.addEventListener('abort', () => resolve())
    })
  }
}

async function wholeOf(content: OutputContent): Promise<Buffer> {
  const bytes = await content.read(0, content.sizeBytes)
  assert.equal(bytes.byteLength, content.sizeBytes)
  return Buffer.from(bytes)
}
