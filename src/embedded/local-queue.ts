import type { Clock } from '../base/clock.ts'
import type { BatchId, SealedBatch } from '../batch.ts'
import type {
  Claim,
  DeliveryQueue,
  Failure,
  QueuedBatch,
  Retry,
  StreamQueueStatus,
} from '../delivery-queue.ts'
import { StreamQueue } from './stream-queue.ts'
import type { Entry } from './stream-queue.ts'
import { TimeHeap } from './time-heap.ts'

export interface LocalQueueOptions {
  readonly clock: Clock
  /** Claims in flight that are not lent, all streams together. */
  readonly claimsMax: number
  /** Claims in flight of one stream; all of `claimsMax` when absent. */
  readonly streamClaimsMax?: number
}

/**
 * The embedded DeliveryQueue: in memory, filled from the batch store at start. Streams that may
 * claim stand in one of two rings, the healthy and the suspects. The rings take turns, and so do the
 * streams in each; a claim costs the same with one batch and with a hundred thousand.
 */
export class LocalQueue implements DeliveryQueue {
  readonly #clock: Clock
  readonly #claimsMax: number
  readonly #streamClaimsMax: number
  readonly #suspectClaimsMax: number
  readonly #streams = new Map<string, StreamQueue>()
  readonly #entries = new Map<BatchId, Entry>()
  readonly #claims = new Map<string, Entry>()
  /** The first in a ring is next; it goes to the end when it has claimed. */
  readonly #healthy = new Set<StreamQueue>()
  readonly #suspects = new Set<StreamQueue>()
  /** When entries and streams may be claimed again. What has changed since is passed over. */
  readonly #wakeTimes = new TimeHeap<Entry | StreamQueue>()
  /** Callers of `claim`: first come, first served. */
  readonly #claimers = new Set<(claim: Claim | undefined) => void>()
  #suspectClaimCount = 0
  #lentCount = 0
  #claimNumber = 0
  #suspectsNext = false
  #timer: { readonly atMs: number; readonly controller: AbortController } | undefined

  constructor({ clock, claimsMax, streamClaimsMax = claimsMax }: LocalQueueOptions) {
    this.#clock = clock
    this.#claimsMax = claimsMax
    this.#streamClaimsMax = streamClaimsMax
    this.#suspectClaimsMax = Math.max(1, Math.floor(claimsMax / 2))
  }

  async enqueue(batch: SealedBatch): Promise<void> {
    if (this.#entries.has(batch.batchId)) return
    const stream = this.#stream(batch.streamId)
    this.#change(stream, () => this.#entries.set(batch.batchId, stream.add(batch)))
  }

  async claim(signal: AbortSignal): Promise<Claim | undefined> {
    const { promise, resolve } = Promise.withResolvers<Claim | undefined>()
    const stopWaiting = (): void => {
      this.#claimers.delete(resolve)
      resolve(undefined)
      this.#serve()
    }
    this.#claimers.add(resolve)
    this.#serve()
    if (signal.aborted) stopWaiting()
    signal.addEventListener('abort', stopWaiting, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', stopWaiting)
    }
  }

  async complete(claim: Claim): Promise<void> {
    this.#end(claim, (entry) => {
      const { stream } = entry
      stream.failureCount = 0
      stream.claimAtMs = -Infinity
      stream.braked = false
      stream.lastFailure = undefined
      this.#forget(entry)
    })
  }

  async retry(claim: Claim, retry: Retry): Promise<void> {
    const { afterMs, streamAfterMs, brake, errorCode, errorMessage } = retry
    const nowMs = this.#clock.monotonicMs()
    this.#end(claim, (entry) => {
      const { stream } = entry
      fail(entry, { errorCode, errorMessage })
      if (brake) stream.braked = true
      stream.claimAtMs = Math.max(stream.claimAtMs, nowMs + streamAfterMs)
      this.#wakeTimes.add(stream.claimAtMs, stream)
      entry.state = 'waiting'
      entry.atMs = nowMs + afterMs
      this.#wakeTimes.add(entry.atMs, entry)
    })
  }

  async park(claim: Claim, failure: Failure): Promise<void> {
    this.#end(claim, (entry) => {
      fail(entry, failure)
      entry.state = 'parked'
    })
  }

  async release(claim: Claim): Promise<void> {
    this.#end(claim, (entry) => {
      entry.attempt -= 1
      entry.stream.makeDueFirst(entry)
    })
  }

  async lend({ token }: Claim): Promise<void> {
    const entry = this.#claims.get(token)
    if (entry === undefined || entry.lent) return
    this.#change(entry.stream, () => {
      entry.lent = true
      entry.stream.lentCount += 1
    })
  }

  async pause(streamId: string): Promise<void> {
    const stream = this.#stream(streamId)
    this.#change(stream, () => {
      stream.paused = true
    })
  }

  async resume(streamId: string): Promise<void> {
    const stream = this.#stream(streamId)
    this.#change(stream, () => {
      stream.paused = false
      stream.braked = false
      stream.failureCount = 0
      stream.claimAtMs = -Infinity
      for (const entry of stream.entries) {
        if (entry.state === 'waiting' || entry.state === 'parked') stream.makeDue(entry)
      }
    })
  }

  async discard(streamId: string): Promise<void> {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    for (const [token, entry] of this.#claims) {
      if (entry.stream === stream) this.#claims.delete(token)
    }
    this.#change(stream, () => {
      for (const entry of stream.entries) this.#forget(entry)
      stream.inFlightCount = 0
      stream.lentCount = 0
      // Whatever still knows the stream, as the heap does, gets no claim from it.
      stream.paused = true
    })
    this.#streams.delete(streamId)
  }

  async status(streamId: string): Promise<StreamQueueStatus> {
    return (this.#streams.get(streamId) ?? new StreamQueue()).status()
  }

  async find(batchId: BatchId): Promise<QueuedBatch | undefined> {
    const entry = this.#entries.get(batchId)
    if (entry === undefined || entry.state === 'gone') return undefined
    const { batch, stream, attempt, lastFailure } = entry
    const state = entry.state === 'due' ? 'waiting' : entry.state
    const waits = state === 'waiting' && !stream.paused
    const nextAttemptMs = waits ? Math.max(entry.atMs, stream.claimAtMs) : undefined
    return { batch, state, attempt, nextAttemptMs, lastFailure }
  }

  async close(): Promise<void> {
    this.#timer?.controller.abort()
    for (const resolve of this.#claimers) resolve(undefined)
    this.#claimers.clear()
  }

  #stream(streamId: string): StreamQueue {
    let stream = this.#streams.get(streamId)
    if (stream === undefined) {
      stream = new StreamQueue()
      this.#streams.set(streamId, stream)
    }
    return stream
  }

  /** Ends a claim; does nothing when its stream was discarded meanwhile. */
  #end({ token }: Claim, end: (entry: Entry) => void): void {
    const entry = this.#claims.get(token)
    if (entry === undefined) return
    this.#claims.delete(token)
    this.#change(entry.stream, () => {
      entry.stream.inFlightCount -= 1
      if (entry.lent) entry.stream.lentCount -= 1
      entry.lent = false
      end(entry)
    })
  }

  #forget(entry: Entry): void {
    entry.state = 'gone'
    entry.stream.entries.delete(entry)
    this.#entries.delete(entry.batch.batchId)
  }

  /** Every change of a stream goes through here, so that rings and counts follow. */
  #change(stream: StreamQueue, change: () => void): void {
    if (stream.suspect) this.#suspectClaimCount -= stream.limitedClaimCount
    this.#lentCount -= stream.lentCount
    change()
    if (stream.suspect) this.#suspectClaimCount += stream.limitedClaimCount
    this.#lentCount += stream.lentCount
    this.#placeInRing(stream)
    this.#serve()
  }

  #placeInRing(stream: StreamQueue): void {
    const mayClaim = stream.mayClaim(this.#clock.monotonicMs(), this.#streamClaimsMax)
    const ring = stream.suspect ? this.#suspects : this.#healthy
    const otherRing = stream.suspect ? this.#healthy : this.#suspects
    otherRing.delete(stream)
    if (mayClaim) ring.add(stream)
    else ring.delete(stream)
  }

  /** Gives to those who wait what is due, and sets the timer for what will be. */
  #serve(): void {
    this.#wakeDue()
    for (const resolve of this.#claimers) {
      const stream = this.#nextStream()
      if (stream === undefined) break
      this.#claimers.delete(resolve)
      resolve(this.#claimFrom(stream))
    }
    this.#setTimer()
  }

  #nextStream(): StreamQueue | undefined {
    if (this.#claims.size - this.#lentCount >= this.#claimsMax) return undefined
    const [healthy] = this.#healthy
    const [suspect] = this.#suspectClaimCount < this.#suspectClaimsMax ? this.#suspects : []
    const next = this.#suspectsNext ? (suspect ?? healthy) : (healthy ?? suspect)
    this.#suspectsNext = next === healthy
    return next
  }

  #claimFrom(stream: StreamQueue): Claim {
    const entry = stream.takeDue()
    entry.state = 'in-flight'
    entry.attempt += 1
    stream.inFlightCount += 1
    if (stream.suspect) this.#suspectClaimCount += 1
    ;(stream.suspect ? this.#suspects : this.#healthy).delete(stream)
    this.#placeInRing(stream)
    this.#claimNumber += 1
    const token = String(this.#claimNumber)
    this.#claims.set(token, entry)
    return {
      token,
      batch: entry.batch,
      attempt: entry.attempt,
      streamFailureCount: stream.failureCount,
    }
  }

  #wakeDue(): void {
    const nowMs = this.#clock.monotonicMs()
    for (;;) {
      const due = this.#wakeTimes.takeDue(nowMs)
      if (due === undefined) return
      const { atMs, item } = due
      if (item instanceof StreamQueue) {
        this.#placeInRing(item)
      } else if (item.state === 'waiting' && item.atMs === atMs) {
        item.stream.makeDue(item)
        this.#placeInRing(item.stream)
      }
    }
  }

  /** One timer at most, and only while somebody waits for what it brings. */
  #setTimer(): void {
    const atMs = this.#claimers.size === 0 ? undefined : this.#wakeTimes.nextMs()
    if (atMs === this.#timer?.atMs) return
    this.#timer?.controller.abort()
    this.#timer = atMs === undefined ? undefined : { atMs, controller: new AbortController() }
    if (this.#timer !== undefined) void this.#wake(this.#timer)
  }

  async #wake(timer: { readonly atMs: number; readonly controller: AbortController }) {
    const { signal } = timer.controller
    await this.#clock.sleep(timer.atMs - this.#clock.monotonicMs(), signal)
    if (signal.aborted) return
    this.#timer = undefined
    this.#serve()
  }
}

function fail(entry: Entry, failure: Failure): void {
  entry.lastFailure = failure
  entry.stream.lastFailure = failure
  entry.stream.failureCount += 1
}
