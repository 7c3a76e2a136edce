/**
 * The string `index:<id>`: 16 bytes for each chunk of the list `chunks:<id>`, so that a range of records is
 * found without reading the others: recordCount u32 | frameBytes u32 | dataBytes u32 | 0 u32, little-endian.
 */
import type { OrdinalRange } from '../../manifest.ts'

const ENTRY_BYTES = 16

/** Where a chunk is in its batch. */
export interface ChunkPlace {
  /** Place in the list. */
  readonly number: number
  readonly firstOrdinal: number
  readonly recordCount: number
  readonly frameBytes: number
}

/** How many records the chunks of an index have in all. */
export function recordCountOf(index: Buffer): number {
  let count = 0
  for (const place of placesOf(index)) count += place.recordCount
  return count
}

/** Chunks with records in the range, in runs of neighbours of about `runBytes`. */
export function* runsOf(
  index: Buffer,
  { from, to }: OrdinalRange,
  runBytes: number,
): Generator<readonly ChunkPlace[]> {
  let run: ChunkPlace[] = []
  let sizeBytes = 0
  for (const place of placesOf(index)) {
    if (place.firstOrdinal + place.recordCount <= from) continue
    if (place.firstOrdinal >= to) break
    if (run.length > 0 && sizeBytes + place.frameBytes > runBytes) {
      yield run
      run = []
      sizeBytes = 0
    }
    run.push(place)
    sizeBytes += place.frameBytes
  }
  if (run.length > 0) yield run
}

function* placesOf(index: Buffer): Generator<ChunkPlace> {
  let firstOrdinal = 0
  for (let at = 0; at + ENTRY_BYTES <= index.byteLength; at += ENTRY_BYTES) {
    const recordCount = index.readUInt32LE(at)
    const frameBytes = index.readUInt32LE(at + 4)
    yield { number: at / ENTRY_BYTES, firstOrdinal, recordCount, frameBytes }
    firstOrdinal += recordCount
  }
}
