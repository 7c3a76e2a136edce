/**
 * One process's way to one delivery stream's lanes. All that happens here happens in one loop, one step
 * after the other, in the order in which it was asked for. While one call is under way the next group
 * gathers: that is the whole of group commit.
 *
 * Other processes append to the same batches. So what is open is a belief here; where it is wrong, the
 * script says so, and the call is made again. The lane is another one after each batch, and each process
 * begins somewhere else: so they spread over the lanes by themselves. But what has an origin is in the
 * first lane, where it is known how far each partition is.
 */
import type { Clock } from '../../base/clock.ts'
import type { BatchId, BatchIds, Chunk } from '../../batch.ts'
import { AppendError } from '../../batch-store.ts'
import type { Appended, AppendTarget } from '../../batch-store.ts'
import { PositionMoved } from '../../chunk-origin.ts'
import { chunkDataBytes } from '../../chunk.ts'
import { LANE_COUNT_MAX } from '../../delivery-stream.ts'
import { appendFailure } from './append-failure.ts'
import { encodeFrame } from './chunk-frame.ts'
import { CompressionTrial } from './compression-trial.ts'
import type { AppendAnswer, AppendOutcome, FramedChunk, LaneScripts } from './lane-scripts.ts'
import type { Lane } from '../lanes.ts'
import type { MemoryRoom } from './memory-room.ts'

/** What one call may bring: Redis does nothing else meanwhile. */
const CALL_BYTES_MAX = 8 * 1024 * 1024
const CALL_CHUNKS_MAX = 1_000
/** So often a call is repeated because another batch is open than was believed. */
const BELIEFS_MAX = 100

/** A batch that is believed to be open. */
export interface Belief {
  readonly batchId: BatchId
  readonly dataBytes: number
}

export interface StreamWriterOptions {
  readonly streamId: string
  /** Name of the process, unlike any other. */
  readonly writer: string
  readonly nextSequence: () => number
  readonly ids: BatchIds
  readonly clock: Clock
  readonly room: MemoryRoom
  readonly scripts: LaneScripts
  readonly enterLanes: (count: number) => Promise<void>
  /** What is open in a lane. */
  readonly look: (lane: Lane) => Promise<Belief | undefined>
  /** A batch that was believed to be open is sealed, here or elsewhere. */
  readonly onNotOpen: (batchId: BatchId) => void
  /** Told before the appends resolve. */
  readonly onAppended: (lane: Lane, answer: AppendAnswer, target: AppendTarget) => void
}

interface Append {
  readonly kind: 'append'
  readonly target: AppendTarget
  readonly chunk: Chunk
  /** Never rejects. */
  readonly frame: Promise<Buffer | AppendError>
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface Task {
  readonly kind: 'task'
  readonly run: () => Promise<void>
}

export class StreamWriter {
  readonly #options: StreamWriterOptions
  readonly #waiting: (Append | Task)[] = []
  readonly #beliefs = new Map<number, Belief>()
  readonly #trial = new CompressionTrial()
  readonly #firstLane: number
  #batchesSealed = 0
  #running = false
  #usedAtMs: number

  constructor(options: StreamWriterOptions) {
    this.#options = options
    this.#firstLane = Math.floor(options.clock.random() * LANE_COUNT_MAX)
    this.#usedAtMs = options.clock.monotonicMs()
  }

  append(target: AppendTarget, chunk: Chunk): Promise<Appended> {
    const { promise, resolve, reject } = Promise.withResolvers<Appended>()
    // Encoded while others are on their way.
    const frame = this.#encode(target, chunk).catch(appendFailure)
    this.#enter({ kind: 'append', target, chunk, frame, resolve, reject })
    return promise
  }

  /** Runs something behind all that was asked for before, and ahead of all that comes after. */
  task(run: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#enter({ kind: 'task', run: () => run().then(resolve, reject) })
    return promise
  }

  /** A batch is sealed. */
  forget(lane: number, batchId: BatchId): void {
    if (this.#beliefs.get(lane)?.batchId !== batchId) return
    this.#beliefs.delete(lane)
    this.#batchesSealed += 1
  }

  isIdleSince(monotonicMs: number): boolean {
    return !this.#running && this.#usedAtMs <= monotonicMs
  }

  #encode({ dataKey }: AppendTarget, chunk: Chunk): Promise<Buffer> {
    const { clock } = this.#options
    const key = dataKey === undefined ? {} : { dataKey: dataKey.plain }
    return encodeFrame(chunk, { clock, trial: this.#trial, ...key })
  }

  #enter(request: Append | Task): void {
    this.#waiting.push(request)
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    for (;;) {
      const request = this.#waiting[0]
      if (request === undefined) break
      if (request.kind === 'task') {
        this.#waiting.shift()
        await request.run()
      } else {
        await this.#appendFrom(request)
      }
    }
    this.#usedAtMs = this.#options.clock.monotonicMs()
    this.#running = false
  }

  /** Appends the chunk that is next, with those behind it that can go into the same batch. */
  async #appendFrom(next: Append): Promise<void> {
    const { enterLanes, room, streamId } = this.#options
    const { laneCount = 1 } = next.target
    const lane = { streamId, lane: this.#laneFor(next) }
    let group: readonly Append[] = [next]
    try {
      const frame = await next.frame
      if (frame instanceof AppendError) throw frame
      await enterLanes(laneCount)
      await this.#believe(lane)
      const refusal = room.refusal(frame.byteLength, this.#beliefs.has(lane.lane) ? 0 : 1)
      if (refusal !== undefined) throw refusal
      const candidates = this.#groupFrom(next, lane)
      const chunks = await framed(candidates)
      group = candidates.slice(0, chunks.length)
      const answer = await this.#call(lane, next.target, chunks)
      if (answer === 'moved') this.#refuse([next], movedFrom(next.chunk))
      else this.#settle(group, answer)
    } catch (error) {
      // The script may have run all the same, or may run later; its writer will not ask for it again.
      this.#refuse(group, appendFailure(error))
    }
  }

  #laneFor({ target: { laneCount = 1 }, chunk }: Append): number {
    return chunk.origin === undefined ? (this.#firstLane + this.#batchesSealed) % laneCount : 0
  }

  /** Asks what is open where nothing is known of it, which costs less than to send chunks in vain. */
  async #believe(lane: Lane): Promise<void> {
    if (this.#beliefs.has(lane.lane)) return
    const belief = await this.#options.look(lane)
    if (belief !== undefined) this.#beliefs.set(lane.lane, belief)
  }

  #groupFrom({ target, chunk }: Append, { lane }: Lane): Append[] {
    const { sizeBytesMax } = target
    const openBytes = this.#beliefs.get(lane)?.dataBytes ?? 0
    // If the first one does not fit, it begins a batch.
    let dataBytes = openBytes + chunkDataBytes(chunk) > sizeBytesMax ? 0 : openBytes
    let payloadBytes = 0
    const group: Append[] = []
    for (const request of this.#waiting.slice(0, CALL_CHUNKS_MAX)) {
      if (request.kind !== 'append') break
      if (request.target.dataKey?.wrapped !== target.dataKey?.wrapped) break
      if (this.#laneFor(request) !== lane) break
      dataBytes += chunkDataBytes(request.chunk)
      payloadBytes += request.chunk.payload.byteLength
      const isTooMuch =
        dataBytes > sizeBytesMax ||
        payloadBytes > CALL_BYTES_MAX ||
        this.#options.room.refusal(payloadBytes, 0) !== undefined
      if (group.length > 0 && isTooMuch) break
      group.push(request)
    }
    return group
  }

  /** `moved`: the first of the chunks is not in its turn, and nothing is done. */
  async #call(
    lane: Lane,
    target: AppendTarget,
    chunks: readonly FramedChunk[],
  ): Promise<AppendAnswer | 'moved'> {
    const { room } = this.#options
    room.send(chunks.reduce((sum, { frame }) => sum + frame.byteLength, 0))
    for (let attempt = 0; attempt < BELIEFS_MAX; attempt += 1) {
      const believed = this.#beliefs.get(lane.lane)?.batchId
      const outcome = await this.#send(lane, target, chunks, believed)
      if (outcome.kind === 'gone') throw failed('the stream is deleted')
      if (outcome.kind === 'late') throw failed('the call came too late')
      if (outcome.kind === 'moved') return 'moved'
      const openId = outcome.kind === 'done' ? outcome.answer.batchId : outcome.batchId
      if (believed !== undefined && believed !== openId) {
        this.forget(lane.lane, believed)
        this.#options.onNotOpen(believed)
      }
      if (outcome.kind === 'done') {
        this.#learn(lane, outcome, target)
        return outcome.answer
      }
      this.#beliefs.set(lane.lane, { batchId: openId, dataBytes: 0 })
    }
    throw failed('others open batches faster than this process can tell')
  }

  #learn(
    lane: Lane,
    { answer, usage }: Extract<AppendOutcome, { kind: 'done' }>,
    target: AppendTarget,
  ): void {
    const { batchId, dataBytes, isOpen } = answer
    this.#beliefs.set(lane.lane, { batchId, dataBytes })
    if (!isOpen) this.forget(lane.lane, batchId)
    this.#options.room.note(lane, usage)
    this.#options.onAppended(lane, answer, target)
  }

  #send(
    lane: Lane,
    { sizeBytesMax, ageMsMax, dataKey }: AppendTarget,
    chunks: readonly FramedChunk[],
    believed: BatchId | undefined,
  ): Promise<AppendOutcome> {
    const { scripts, writer, nextSequence, ids } = this.#options
    return scripts.append(lane, {
      writer,
      sequence: nextSequence(),
      believed,
      fresh: ids.next(),
      sizeBytesMax,
      ageMsMax,
      wrappedDataKey: dataKey?.wrapped,
      chunks,
    })
  }

  #refuse(group: readonly Append[], error: Error): void {
    this.#waiting.splice(0, group.length)
    for (const { reject } of group) reject(error)
  }

  #settle(group: readonly Append[], { batchId, firstOrdinal, count }: AppendAnswer): void {
    this.#waiting.splice(0, count)
    let ordinal = firstOrdinal
    for (const { chunk, resolve } of group.slice(0, count)) {
      resolve({ batchId, firstOrdinal: ordinal })
      ordinal += chunk.recordCount
    }
  }
}

/** Up to the first that could not be encoded: that one is refused when it is the next. */
async function framed(group: readonly Append[]): Promise<FramedChunk[]> {
  const chunks: FramedChunk[] = []
  for (const { frame, chunk } of group) {
    const encoded = await frame
    if (encoded instanceof AppendError) break
    chunks.push({ frame: encoded, origin: chunk.origin })
  }
  return chunks
}

function movedFrom({ origin }: Chunk): PositionMoved {
  return new PositionMoved(
    `Cannot append chunk ${origin?.sequence} of ${origin?.partition}: that is not the next one`,
  )
}

function failed(why: string): AppendError {
  return new AppendError('failed', `Cannot append: ${why}`)
}
