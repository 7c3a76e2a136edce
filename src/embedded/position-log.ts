/**
 * How far the partitions of one stream are read, in the file `positions` of the stream's directory.
 *
 *   file:  line …
 *   line:  CRC, 8 hex digits | ' ' | JSON of a PositionLine | '\n'
 *
 * - What batches that are not sealed yet have brought is in their chunks; it comes to be here before the
 *   batch is named as sealed, so that the batch may be delivered and go.
 * - A line is only written when what it says is durable. So every line that was ever written is true for
 *   ever: of several for a partition the one with the highest sequence counts, and of these the last.
 * - The CRC is seeded with the stream's id, as that of chunks is with the batch's.
 * - The group offset proves durability, as in a batch file: damage below the greatest one is damage;
 *   above it is what a crash leaves of a write that nobody relied on.
 * - Damage costs the positions in it, and no more: what follows a lost line may be read twice rather than
 *   never. The file goes to quarantine, and that is logged as an error.
 * - Lines are appended as long as the file is known to be sound. When it isn't (a sync has failed; it was
 *   written by a process that has died), or is mostly outdated, it is written anew beside it, and renamed.
 */
import { crc32 } from 'node:zlib'
import type { PartitionPosition } from '../chunk-origin.ts'
import type { BatchPaths } from './batch-paths.ts'
import { createAnew, withFile, withFileIfThere } from './file-operations.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

/** So many outdated lines are never worth writing the file anew. */
const OUTDATED_MIN = 1_000
const CHECKSUM_LENGTH = 8

/** What a line says: a position, and where the group of lines begins that was written with it. */
export type PositionLine = PartitionPosition & { readonly groupOffset: number }

export interface LineRange {
  readonly offset: number
  readonly endOffset: number
}

export interface PositionsRead {
  /** In the order in which they were written, outdated ones among them. */
  readonly positions: readonly PartitionPosition[]
  readonly damaged: readonly LineRange[]
  /** What a crash left of a write that was not finished. */
  readonly torn: readonly LineRange[]
}

export interface KnownPositions {
  readonly count: number
  all(): readonly PartitionPosition[]
}

export interface PositionLogOptions {
  readonly streamId: string
  readonly fileSystem: FileSystem
  readonly paths: BatchPaths
}

/** Passive: one call at a time. */
export class PositionLog {
  readonly #options: PositionLogOptions
  /** Where the next line goes, while the file is known to be sound. */
  #endOffset: number | undefined
  #lineCount = 0

  constructor(options: PositionLogOptions) {
    this.#options = options
  }

  async read(): Promise<PositionsRead> {
    const { fileSystem, paths, streamId } = this.#options
    const path = paths.positions(streamId)
    const read = await withFileIfThere(fileSystem, path, (file) => readPositions(file, streamId))
    return read ?? { positions: [], damaged: [], torn: [] }
  }

  /** Makes the news durable, which are among all that is known. */
  async write(news: readonly PartitionPosition[], known: KnownPositions): Promise<void> {
    const endOffset = this.#endOffset
    const isOutdated = this.#lineCount > 2 * known.count + OUTDATED_MIN
    // Until it has succeeded nobody knows how the file stands.
    this.#endOffset = undefined
    this.#endOffset =
      endOffset === undefined || isOutdated
        ? await this.#writeAnew(known.all())
        : await this.#append(news, endOffset)
  }

  async #append(news: readonly PartitionPosition[], groupOffset: number): Promise<number> {
    const { fileSystem, paths, streamId } = this.#options
    const bytes = encodePositions(news, groupOffset, streamId)
    await withFile(fileSystem.open(paths.positions(streamId), 'update'), async (file) => {
      await file.write([bytes], groupOffset)
      await file.datasync()
    })
    this.#lineCount += news.length
    return groupOffset + bytes.byteLength
  }

  async #writeAnew(all: readonly PartitionPosition[]): Promise<number> {
    const { fileSystem, paths, streamId } = this.#options
    const bytes = encodePositions(all, 0, streamId)
    const temporaryPath = paths.temporaryPositions(streamId)
    await withFile(createAnew(fileSystem, temporaryPath), async (file) => {
      await file.write([bytes], 0)
      await file.datasync()
    })
    await fileSystem.rename(temporaryPath, paths.positions(streamId))
    await fileSystem.syncDirectory(paths.stream(streamId))
    this.#lineCount = all.length
    return bytes.byteLength
  }
}

function encodePositions(
  positions: readonly PartitionPosition[],
  groupOffset: number,
  streamId: string,
): Buffer {
  const seed = crc32(streamId)
  const lines = positions.map((position) => {
    const json = JSON.stringify({ ...position, groupOffset } satisfies PositionLine)
    return `${checksum(Buffer.from(json), seed)} ${json}\n`
  })
  return Buffer.from(lines.join(''))
}

/** All that the file holds, which is bounded by what is kept of a stream. */
export async function readPositions(file: OpenFile, streamId: string): Promise<PositionsRead> {
  const bytes = Buffer.allocUnsafe(await file.sizeBytes())
  const content = bytes.subarray(0, await file.read(bytes, 0))
  const seed = crc32(streamId)
  const positions: PartitionPosition[] = []
  const bad: { offset: number; endOffset: number }[] = []
  let lastGroupOffset = 0
  for (let offset = 0; offset < content.byteLength;) {
    const lineEnd = content.indexOf('\n', offset)
    const endOffset = lineEnd < 0 ? content.byteLength : lineEnd + 1
    const line = lineEnd < 0 ? undefined : decodeLine(content.subarray(offset, lineEnd), seed)
    const before = bad.at(-1)
    if (line !== undefined) {
      const { groupOffset, ...position } = line
      lastGroupOffset = Math.max(lastGroupOffset, groupOffset)
      positions.push(position)
    } else if (before?.endOffset === offset) before.endOffset = endOffset
    else bad.push({ offset, endOffset })
    offset = endOffset
  }
  return {
    positions,
    damaged: bad.filter(({ offset }) => offset < lastGroupOffset),
    torn: bad.filter(({ offset }) => offset >= lastGroupOffset),
  }
}

function decodeLine(line: Buffer, seed: number): PositionLine | undefined {
  const json = line.subarray(CHECKSUM_LENGTH + 1)
  const expected = `${checksum(json, seed)} `
  if (line.toString('latin1', 0, CHECKSUM_LENGTH + 1) !== expected) return undefined
  return JSON.parse(json.toString()) as PositionLine
}

function checksum(json: Buffer, seed: number): string {
  return crc32(json, seed).toString(16).padStart(CHECKSUM_LENGTH, '0')
}
