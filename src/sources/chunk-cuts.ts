/** How what was read of a partition is cut into chunks. */
import type { SourceRecord } from '../source.ts'

export interface ChunkLimits {
  readonly recordCountMax: number
  /** Of data and metadata. */
  readonly bytesMax: number
}

/**
 * Runs of the records, in their order, each within the limits. Records with the same position are never
 * parted, for a position is read as a whole or not at all: a group of them that is too large goes alone.
 */
export function* cutRecords(
  records: readonly SourceRecord[],
  { recordCountMax, bytesMax }: ChunkLimits,
  sizeOf: (record: SourceRecord) => number,
): Generator<readonly SourceRecord[]> {
  let firstIndex = 0
  let bytes = 0
  for (let index = 0; index < records.length;) {
    const groupEnd = endOfGroup(records, index)
    let groupBytes = 0
    for (const record of records.slice(index, groupEnd)) groupBytes += sizeOf(record)
    const fits = groupEnd - firstIndex <= recordCountMax && bytes + groupBytes <= bytesMax
    if (!fits && index > firstIndex) {
      yield records.slice(firstIndex, index)
      firstIndex = index
      bytes = 0
    }
    bytes += groupBytes
    index = groupEnd
  }
  if (firstIndex < records.length) yield records.slice(firstIndex)
}

function endOfGroup(records: readonly SourceRecord[], index: number): number {
  const position = records[index]?.position
  let end = index + 1
  while (end < records.length && records[end]?.position === position) end += 1
  return end
}
