/**
 * A batch is an append-only run of chunks for one delivery stream; a chunk is what one
 * PutRecordBatch or one source poll brought. The open batch is the buffer of Firehose's vocabulary;
 * a sealed batch never changes. The batch id is made at birth and names all that comes of it.
 */
import type { Clock } from './base/clock.ts'
import type { ChunkOrigin } from './chunk-origin.ts'

/** 26 characters of Crockford base 32: 48 bits of wall time in ms, then 80 random bits (a ULID). */
export type BatchId = string

export const BATCH_ID_LENGTH = 26
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BATCH_ID_PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/

export function isBatchId(text: string): boolean {
  return BATCH_ID_PATTERN.test(text)
}

/** Makes ids that sort in the order they were made, also while the wall clock stands or goes back. */
export class BatchIds {
  #lastMs = 0
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  next(): BatchId {
    this.#lastMs = Math.max(this.#lastMs + 1, Math.floor(this.#clock.nowMs()))
    let bits =
      (BigInt(this.#lastMs) << 80n) | BigInt(`0x${this.#clock.randomBytes(10).toString('hex')}`)
    let id = ''
    for (let index = 0; index < BATCH_ID_LENGTH; index += 1) {
      id = ALPHABET.charAt(Number(bits & 31n)) + id
      bits >>= 5n
    }
    return id
  }
}

/** The 16 bytes of a batch id, from which UUIDs and checksum seeds are derived. */
export function batchIdBytes(batchId: BatchId): Buffer {
  let bits = 0n
  for (const character of batchId) bits = (bits << 5n) | BigInt(ALPHABET.indexOf(character))
  return Buffer.from(bits.toString(16).padStart(32, '0').slice(-32), 'hex')
}

/**
 * One durable write. The payload is laid out once, at the socket, and not taken apart until a
 * worker encodes it (see chunk.ts).
 */
export interface Chunk {
  readonly arrivalMs: number
  readonly recordCount: number
  /** The records' lengths, then their bytes, back to back, then what else is known of them (chunk.ts). */
  readonly payload: Buffer
  /** How much of the payload's end is no data; absent: nothing. */
  readonly metadataBytes?: number
  /** What the chunk is a part of; absent: it was put, and nobody will send it again. */
  readonly origin?: ChunkOrigin
}

export type SealReason =
  | 'size'
  | 'age'
  | 'drain'
  | 'update'
  | 'flush'
  | 'recovery'
  | 'fault'
  | 'replay'

export interface SealedBatch {
  readonly batchId: BatchId
  readonly streamId: string
  readonly recordCount: number
  /**
   * One more than the highest ordinal, where that is not `recordCount`: a crash may have torn a chunk
   * that was never acknowledged out of the middle, and those behind it keep their places.
   */
  readonly ordinalEnd?: number
  /** Sum of the records' bytes as they were sent, without framing. */
  readonly dataBytes: number
  /** What the batch occupies in the store. */
  readonly storedBytes: number
  /** Arrival of the oldest record: the instant of every expression in the object's name. */
  readonly firstArrivalMs: number
  readonly lastArrivalMs: number
  readonly sealedAtMs: number
  readonly sealReason: SealReason
  /** Which of the stream's lanes it is in, where a store spreads a stream; absent: the first. */
  readonly lane?: number
  /**
   * Token of the claim under which it is worked on; absent: none. Where other processes may claim it
   * too, what is done to it under a claim that is lost is refused (ClaimLost).
   */
  readonly heldBy?: string
}

/** Another process has claimed the batch since; whoever gets this lets go of it. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost'
}

/** One more than the highest ordinal of a record in the batch. */
export function ordinalEndOf({ recordCount, ordinalEnd }: SealedBatch): number {
  return ordinalEnd ?? recordCount
}
