/**
 * Streaming, verified reading of a batch file's chunks: the one reader that delivery, recovery and
 * the inspection tools share. Memory is one window, or one chunk if that is larger.
 */
import type { BatchId } from '../batch.ts'
import { dataOffset } from '../chunk.ts'
import {
  CHUNK_FACTS_BYTES,
  CHUNK_HEADER_BYTES,
  CHUNK_MAGIC,
  chunkSeed,
  decodeChunkHeader,
  decodeHeader,
  HEADER_BYTES,
  payloadMatches,
} from './batch-file.ts'
import type { BatchHeader, ChunkHeader } from './batch-file.ts'
import { CIPHER_OVERHEAD_BYTES } from './batch-cipher.ts'
import { decodeNote, NO_NOTE } from './chunk-note.ts'
import type { ChunkNote } from './chunk-note.ts'
import type { OpenFile } from './file-system.ts'

const WINDOW_BYTES = 256 * 1024

export interface FrameRange {
  readonly offset: number
  readonly endOffset: number
}

export interface ChunkFrame extends FrameRange {
  readonly kind: 'chunk'
  readonly header: ChunkHeader
  /** All that encryption authenticates: the header's facts, and the note. */
  readonly facts: Buffer
  readonly note: ChunkNote
  /** As it is stored, possibly encrypted. Valid until the next frame is asked for. */
  readonly payload: Buffer
}

export interface DamagedFrame extends FrameRange {
  readonly kind: 'damaged'
  /** Present when only the payload is damaged or cut short. */
  readonly header: ChunkHeader | undefined
}

export interface VoidFrame extends FrameRange {
  readonly kind: 'void'
}

/** A chunk that was not asked for: not read, and not checked. */
export interface SkippedFrame extends FrameRange {
  readonly kind: 'skipped'
  readonly header: ChunkHeader
}

export type Frame = ChunkFrame | DamagedFrame | VoidFrame

/** Bytes of record data in the chunk, without framing and metadata. */
export function frameDataBytes({ header, note, payload }: ChunkFrame): number {
  const overheadBytes = header.kind === 'encrypted' ? CIPHER_OVERHEAD_BYTES : 0
  const { metadataBytes = 0 } = note
  return payload.byteLength - overheadBytes - metadataBytes - dataOffset(header.recordCount)
}

/** The header of a file of batch `batchId`; undefined when it is damaged. */
export async function readBatchHeader(
  file: OpenFile,
  batchId: BatchId,
): Promise<BatchHeader | undefined> {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES)
  const readBytes = await file.read(bytes, 0)
  return decodeHeader(bytes.subarray(0, readBytes), batchId)
}

/** All that lies between the header and `endOffset`, without gaps. */
export async function* scanFrames(
  file: OpenFile,
  batchId: BatchId,
  endOffset: number,
): AsyncGenerator<Frame> {
  for await (const frame of scanSome(file, batchId, endOffset, () => true)) {
    if (frame.kind !== 'skipped') yield frame
  }
}

/** The same, reading only the chunks that are wanted. */
export async function* scanSome(
  file: OpenFile,
  batchId: BatchId,
  endOffset: number,
  isWanted: (header: ChunkHeader) => boolean,
): AsyncGenerator<Frame | SkippedFrame> {
  const window = new FileWindow(file, endOffset)
  const seed = chunkSeed(batchId)
  let offset = HEADER_BYTES
  while (offset < endOffset) {
    const frame = await frameAt(window, offset, seed, isWanted)
    yield frame
    offset = frame.endOffset
  }
}

async function frameAt(
  window: FileWindow,
  offset: number,
  seed: number,
  isWanted: (header: ChunkHeader) => boolean,
): Promise<Frame | SkippedFrame> {
  const headerBytes = Buffer.from(await window.bytes(offset, CHUNK_HEADER_BYTES))
  const header = decodeChunkHeader(headerBytes, seed)
  if (header === undefined) {
    const endOffset = await findChunk(window, offset + 1, seed)
    return { kind: 'damaged', offset, endOffset, header }
  }
  const payloadAt = offset + CHUNK_HEADER_BYTES
  const endOffset = Math.min(payloadAt + header.payloadBytes, window.endOffset)
  if (header.kind === 'void') return { kind: 'void', offset, endOffset }
  if (!isWanted(header)) return { kind: 'skipped', offset, endOffset, header }
  const stored = await window.bytes(payloadAt, header.payloadBytes)
  if (stored.byteLength < header.payloadBytes || !payloadMatches(headerBytes, stored)) {
    return { kind: 'damaged', offset, endOffset, header }
  }
  const facts = headerBytes.subarray(0, CHUNK_FACTS_BYTES)
  const frame = { kind: 'chunk', offset, endOffset, header } as const
  if (!header.noted) return { ...frame, facts, note: NO_NOTE, payload: stored }
  const { note, noteBytes } = decodeNote(stored)
  return {
    ...frame,
    facts: Buffer.concat([facts, stored.subarray(0, noteBytes)]),
    note,
    payload: stored.subarray(noteBytes),
  }
}

/** Where, from `offset` on, the next valid chunk header is; the end when there is none. */
async function findChunk(window: FileWindow, from: number, seed: number): Promise<number> {
  let offset = from
  while (offset + CHUNK_HEADER_BYTES <= window.endOffset) {
    const bytes = await window.bytes(offset, WINDOW_BYTES)
    const lastAt = bytes.byteLength - CHUNK_HEADER_BYTES
    let at = bytes.indexOf(CHUNK_MAGIC, 0, 'latin1')
    while (at >= 0 && at <= lastAt) {
      if (decodeChunkHeader(bytes.subarray(at), seed) !== undefined) return offset + at
      at = bytes.indexOf(CHUNK_MAGIC, at + 1, 'latin1')
    }
    if (lastAt < 0) break
    offset += lastAt + 1
  }
  return window.endOffset
}

/** Reads a file forwards, many small pieces with one system call, all into the same memory. */
class FileWindow {
  readonly endOffset: number
  readonly #file: OpenFile
  #memory: Buffer = Buffer.alloc(0)
  #filled: Buffer = this.#memory
  #filledAt = 0

  constructor(file: OpenFile, endOffset: number) {
    this.#file = file
    this.endOffset = endOffset
  }

  /** The bytes at `offset`, until the next call; fewer than `count` only at the end. */
  async bytes(offset: number, count: number): Promise<Buffer> {
    const wanted = Math.max(Math.min(count, this.endOffset - offset), 0)
    let at = offset - this.#filledAt
    if (at < 0 || at + wanted > this.#filled.byteLength) {
      await this.#fill(offset, wanted)
      at = 0
    }
    return this.#filled.subarray(at, at + wanted)
  }

  /** What is wanted and, if it is a large chunk, no more than the header behind it. */
  async #fill(offset: number, wanted: number): Promise<void> {
    const usefulBytes = Math.max(wanted + CHUNK_HEADER_BYTES, WINDOW_BYTES)
    const sizeBytes = Math.max(Math.min(usefulBytes, this.endOffset - offset), 0)
    if (sizeBytes > this.#memory.byteLength) this.#memory = Buffer.allocUnsafeSlow(sizeBytes)
    const readBytes = await this.#file.read(this.#memory.subarray(0, sizeBytes), offset)
    this.#filled = this.#memory.subarray(0, readBytes)
    this.#filledAt = offset
  }
}
