/**
 * What a chunk's header has no place for, in front of the payload of those chunks that need it.
 *
 *   note:  length of the JSON u16le | JSON: {"origin": …, "metadataBytes": …}
 *
 * It is plain also where the payload is encrypted: recovery must know origins, and has no key.
 */
import { strict as assert } from 'node:assert'
import type { Chunk } from '../batch.ts'
import type { ChunkOrigin } from '../chunk-origin.ts'

const LENGTH_BYTES = 2

export interface ChunkNote {
  readonly origin?: ChunkOrigin
  /** How much of the payload's end, once it is decrypted, is no data. */
  readonly metadataBytes?: number
}

/** The note of a chunk that needs none. */
export const NO_NOTE: ChunkNote = {}

/** Undefined when there is nothing to note. */
export function encodeNote({ origin, metadataBytes = 0 }: Chunk): Buffer | undefined {
  if (origin === undefined && metadataBytes === 0) return undefined
  const note: ChunkNote = {
    ...(origin !== undefined && { origin }),
    ...(metadataBytes > 0 && { metadataBytes }),
  }
  const json = Buffer.from(JSON.stringify(note))
  assert(json.byteLength < 2 ** 16, 'an origin is short')
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + json.byteLength)
  bytes.writeUInt16LE(json.byteLength)
  json.copy(bytes, LENGTH_BYTES)
  return bytes
}

/** @param stored begins with a note, and is verified */
export function decodeNote(stored: Buffer): { note: ChunkNote; noteBytes: number } {
  const noteBytes = LENGTH_BYTES + stored.readUInt16LE()
  const json = stored.toString('utf8', LENGTH_BYTES, noteBytes)
  return { note: JSON.parse(json) as ChunkNote, noteBytes }
}
