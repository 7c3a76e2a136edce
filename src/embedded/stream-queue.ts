import { strict as assert } from 'node:assert'
import type { SealedBatch } from '../batch.ts'
import type { Failure, QueueState, StreamQueueStatus } from '../delivery-queue.ts'

/** A batch's place in the queue. */
export interface Entry {
  readonly batch: SealedBatch
  readonly stream: StreamQueue
  /** Due is waiting with nothing to wait for; a claim may take it. */
  state: 'due' | 'waiting' | 'in-flight' | 'parked' | 'gone'
  /** In flight, and lent. */
  lent: boolean
  attempt: number
  /** When it is due, while waiting; monotonic ms. */
  atMs: number
  lastFailure: Failure | undefined
}

/** Enough for a function that is slow, and few where it hangs. */
const SLOW_IN_FLIGHT_MAX = 4

/** One stream's batches, and what the stream may do. */
export class StreamQueue {
  readonly entries = new Set<Entry>()
  paused = false
  braked = false
  /** Failures since a batch last succeeded. */
  failureCount = 0
  /** No claim before; monotonic ms. */
  claimAtMs = -Infinity
  inFlightCount = 0
  /** Of those in flight, the ones that are lent. */
  lentCount = 0
  lastFailure: Failure | undefined
  /** Due entries in their order, from `#dueAt` on. */
  #due: Entry[] = []
  #dueAt = 0

  add(batch: SealedBatch): Entry {
    const entry: Entry = {
      batch,
      stream: this,
      state: 'waiting',
      lent: false,
      attempt: 0,
      atMs: 0,
      lastFailure: undefined,
    }
    this.entries.add(entry)
    this.makeDue(entry)
    return entry
  }

  makeDue(entry: Entry): void {
    entry.state = 'due'
    this.#due.push(entry)
  }

  makeDueFirst(entry: Entry): void {
    entry.state = 'due'
    this.#due = [entry, ...this.#due.slice(this.#dueAt)]
    this.#dueAt = 0
  }

  /** It shares the suspects' claims: its last attempt failed, or it has one that takes long. */
  get suspect(): boolean {
    return this.failureCount > 0 || this.lentCount > 0
  }

  /** Claims that count among those that are limited. */
  get limitedClaimCount(): number {
    return this.inFlightCount - this.lentCount
  }

  mayClaim(nowMs: number, claimsMax: number): boolean {
    if (this.paused || nowMs < this.claimAtMs || this.#dueAt === this.#due.length) return false
    return this.inFlightCount < this.#inFlightMax(claimsMax)
  }

  #inFlightMax(claimsMax: number): number {
    if (this.failureCount > 0) return 1
    return this.lentCount > 0 ? Math.min(SLOW_IN_FLIGHT_MAX, claimsMax) : claimsMax
  }

  takeDue(): Entry {
    const entry = this.#due[this.#dueAt]
    assert(entry?.state === 'due', 'a stream whose turn it is has a batch that is due')
    this.#dueAt += 1
    if (this.#dueAt * 2 > this.#due.length) {
      this.#due = this.#due.slice(this.#dueAt)
      this.#dueAt = 0
    }
    return entry
  }

  state(): QueueState {
    if (this.paused) return 'paused'
    if (this.braked) return 'braked'
    return this.failureCount > 0 ? 'suspect' : 'running'
  }

  status(): StreamQueueStatus {
    const batches = [...this.entries].map(({ batch }) => batch)
    const parkedCount = [...this.entries].filter(({ state }) => state === 'parked').length
    const oldestArrivalMs = batches.reduce(
      (oldestMs, { firstArrivalMs }) => Math.min(oldestMs, firstArrivalMs),
      Infinity,
    )
    return {
      state: this.state(),
      waitingCount: this.entries.size - this.inFlightCount - parkedCount,
      inFlightCount: this.inFlightCount,
      parkedCount,
      recordCount: batches.reduce((sum, { recordCount }) => sum + recordCount, 0),
      dataBytes: batches.reduce((sum, { dataBytes }) => sum + dataBytes, 0),
      oldestArrivalMs: oldestArrivalMs === Infinity ? undefined : oldestArrivalMs,
      lastFailure: this.lastFailure,
    }
  }
}
