/**
 * Where what processors made of a batch is kept until the batch is delivered: blocks of bytes and an
 * index that says what they are, whose meaning is the pipeline's (pipeline/processed-batch.ts). It is
 * there as a whole or not at all.
 */
import type { BufferPool } from './base/buffer-pool.ts'
import type { SealedBatch } from './batch.ts'

/** What is staged can't be read back whole. */
export class StagingDamaged extends Error {
  override readonly name = 'StagingDamaged'
}

export interface StagingWriter {
  /** Appends a block, whose memory is the caller's again when this resolves; its number is 0, 1, 2, … */
  write(block: Uint8Array): Promise<number>
  /**
   * Makes all blocks and the index durable; they take the place of what was staged before.
   * @throws ClaimLost
   */
  finish(index: Uint8Array): Promise<void>
  /** Gives up and frees the room; harmless after `finish`. */
  abandon(): Promise<void>
}

export interface StagedBatch {
  readonly index: Buffer
  /** Blocks are numbered from 0. */
  readonly blockCount: number
  /**
   * A block in memory of its own, verified.
   * @param memory may be where it comes from: the caller gives it back there
   * @throws StagingDamaged
   */
  read(block: number, memory?: BufferPool): Promise<Buffer>
  close(): Promise<void>
}

/** The part of a batch store that keeps what processors made. Encrypted where the batch is. */
export interface Staging {
  /** Begins anew. One writer at a time for a batch; what an earlier one left unfinished is gone. */
  stage(batch: SealedBatch): Promise<StagingWriter>
  /**
   * What was finished last, durable; undefined when nothing was.
   * @throws StagingDamaged
   */
  staged(batch: SealedBatch): Promise<StagedBatch | undefined>
  /**
   * Removes what is staged, durably. Harmless when nothing is. Removing the batch does it, too.
   * @throws ClaimLost
   */
  unstage(batch: SealedBatch): Promise<void>
}
