/**
 * What start-up does with a batch file that has no valid footer.
 *
 * - `.open`: the process that wrote it has died. What lies in the last group and is no valid chunk
 *   was never acknowledged: a tail is cut off, a hole is made void. A hole further down is damage.
 * - `.batch`: all of it was durable when it was sealed, so whatever is no valid chunk is damage.
 *
 * Damage stays in its place and in the batch's record count, so that the books show it; reading
 * copies it to quarantine and counts it. A damaged tail, whose end nobody knows, goes to quarantine
 * here. Then the file gets a footer. Each step can be repeated after a crash.
 *
 * How far the chunks of an `.open` file bring their partitions is told to whoever renames it; that of a
 * `.batch` was written down before it had that name.
 */
import { strict as assert } from 'node:assert'
import type { SealedBatch, SealReason } from '../batch.ts'
import type { PartitionPosition } from '../chunk-origin.ts'
import {
  chunkSeed,
  decodeFooter,
  encodeFooter,
  encodeVoid,
  FOOTER_BYTES,
  HEADER_BYTES,
} from './batch-file.ts'
import type { BatchName } from './batch-paths.ts'
import { frameDataBytes, readBatchHeader, scanFrames } from './batch-scan.ts'
import type { ChunkFrame, DamagedFrame, FrameRange } from './batch-scan.ts'
import type { OpenFile } from './file-system.ts'
import type { Quarantine } from './quarantine.ts'

const REWRITE_BYTES = 1024 * 1024

/** What the chunks of a batch file tell, without a footer. */
interface Survey {
  readonly recordCount: number
  readonly ordinalEnd: number
  readonly dataBytes: number
  readonly firstArrivalMs: number
  readonly lastArrivalMs: number
  /** Where the last chunk ends that stays. */
  readonly endOffset: number
  /** Where the last group begins. All before it was synced. */
  readonly lastGroupOffset: number
  readonly isEncrypted: boolean
  /** Holes that a crash left between chunks of a group that was never acknowledged. */
  readonly torn: readonly FrameRange[]
  readonly damaged: readonly FrameRange[]
  /** The last that the chunks tell of each partition. */
  readonly positions: readonly PartitionPosition[]
}

interface Hole {
  readonly offset: number
  endOffset: number
  /** Records of the last chunk in the hole, if its header tells. */
  tailCount: number | undefined
  lostCount: number
}

/** What of a batch file's end is not chunks. */
export function footerBytes(isSealed: boolean): number {
  return isSealed ? FOOTER_BYTES : 0
}

async function surveyBatch(file: OpenFile, name: BatchName, wasSealed: boolean): Promise<Survey> {
  const surveyor = new Surveyor()
  const endOffset = (await file.sizeBytes()) - footerBytes(wasSealed)
  for await (const frame of scanFrames(file, name.batchId, endOffset)) {
    if (frame.kind === 'chunk') surveyor.chunk(frame)
    if (frame.kind === 'damaged') surveyor.damaged(frame)
  }
  return surveyor.survey(wasSealed)
}

class Surveyor {
  #nextOrdinal = 0
  #recordCount = 0
  #dataBytes = 0
  #firstArrivalMs = Infinity
  #lastArrivalMs = -Infinity
  #lastGroupOffset = 0
  #isEncrypted = false
  #endOffset = HEADER_BYTES
  readonly #positions = new Map<string, PartitionPosition>()
  readonly #holes: Hole[] = []
  /** The hole that began after the last valid chunk. */
  #hole: Hole | undefined

  chunk(frame: ChunkFrame): void {
    const { header, note, endOffset } = frame
    if (this.#hole !== undefined) this.#closeHole(header.firstOrdinal - this.#nextOrdinal)
    this.#nextOrdinal = header.firstOrdinal + header.recordCount
    this.#recordCount += header.recordCount
    this.#dataBytes += frameDataBytes(frame)
    this.#firstArrivalMs = Math.min(this.#firstArrivalMs, header.arrivalMs)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, header.arrivalMs)
    this.#lastGroupOffset = Math.max(this.#lastGroupOffset, header.groupOffset)
    this.#isEncrypted ||= header.kind === 'encrypted'
    this.#endOffset = endOffset
    const { origin } = note
    if (origin === undefined) return
    this.#positions.set(origin.partition, { ...origin, atMs: header.arrivalMs })
  }

  damaged({ offset, endOffset, header }: DamagedFrame): void {
    this.#hole ??= { offset, endOffset, tailCount: undefined, lostCount: 0 }
    this.#hole.endOffset = endOffset
    this.#hole.tailCount = header?.recordCount
  }

  survey(wasSealed: boolean): Survey {
    if (wasSealed && this.#hole?.tailCount !== undefined) {
      this.#endOffset = this.#hole.endOffset
      this.#closeHole(this.#hole.tailCount)
    }
    const durableEnd = wasSealed ? Infinity : this.#lastGroupOffset
    const damaged = this.#holes.filter(({ offset }) => offset < durableEnd)
    return {
      recordCount: damaged.reduce((sum, { lostCount }) => sum + lostCount, this.#recordCount),
      ordinalEnd: this.#nextOrdinal,
      dataBytes: this.#dataBytes,
      firstArrivalMs: this.#firstArrivalMs,
      lastArrivalMs: this.#lastArrivalMs,
      endOffset: this.#endOffset,
      lastGroupOffset: this.#lastGroupOffset,
      isEncrypted: this.#isEncrypted,
      torn: this.#holes.filter(({ offset }) => offset >= durableEnd),
      damaged,
      positions: [...this.#positions.values()],
    }
  }

  #closeHole(lostCount: number): void {
    assert(this.#hole !== undefined)
    this.#holes.push({ ...this.#hole, lostCount: Math.max(lostCount, 0) })
    this.#hole = undefined
  }
}

export interface Rebuild {
  readonly file: OpenFile
  readonly name: BatchName
  readonly wasSealed: boolean
  readonly sealedAtMs: number
  readonly quarantine: Quarantine
}

export interface RebuiltBatch {
  readonly batch: SealedBatch
  /** Of the partitions that its chunks come from. */
  readonly positions: readonly PartitionPosition[]
}

/**
 * Gives the file a footer that says what is in it, and makes it durable. Undefined when there is
 * nothing in it; the file is then left as it was.
 */
export async function rebuildFooter(rebuild: Rebuild): Promise<RebuiltBatch | undefined> {
  const { file, name, wasSealed, sealedAtMs, quarantine } = rebuild
  const survey = await surveyBatch(file, name, wasSealed)
  if (survey.recordCount === 0 || survey.firstArrivalMs === Infinity) return undefined
  const { recordCount, ordinalEnd, dataBytes, firstArrivalMs, lastArrivalMs } = survey
  const { endOffset, torn } = survey
  // The header is written with the first group: where it is torn, so that the key is lost, nothing
  // was acknowledged. Plain chunks can do without it.
  const isFirstGroup = survey.lastGroupOffset <= HEADER_BYTES
  const needsHeader = !wasSealed && isFirstGroup && survey.isEncrypted
  if (needsHeader && (await readBatchHeader(file, name.batchId)) === undefined) return undefined
  for (const { offset, endOffset } of torn) {
    await file.write([encodeVoid(endOffset - offset, chunkSeed(name.batchId))], offset)
  }
  if (!wasSealed) await rewrite(file, isFirstGroup ? 0 : survey.lastGroupOffset, endOffset)
  const tail = { offset: endOffset, endOffset: (await file.sizeBytes()) - FOOTER_BYTES }
  if (wasSealed && tail.endOffset > tail.offset) await quarantine.keepRange(name, file, tail)
  const footer = {
    ...name,
    recordCount,
    ...(ordinalEnd > recordCount && { ordinalEnd }),
    dataBytes,
    firstArrivalMs,
    lastArrivalMs,
    sealedAtMs,
    sealReason: 'recovery' as SealReason,
  }
  // In this order: a `.batch` without its last bytes would be taken for one that ends earlier.
  await file.write([encodeFooter(footer)], endOffset)
  await file.truncate(endOffset + FOOTER_BYTES)
  await file.datasync()
  const batch = { ...footer, storedBytes: endOffset + FOOTER_BYTES }
  return { batch, positions: survey.positions }
}

/**
 * Writes what is there once more. A process that died within a sync, or after one that failed, leaves
 * bytes that can be read and that no later sync need write; these are new.
 */
async function rewrite(file: OpenFile, offset: number, endOffset: number): Promise<void> {
  for (let at = offset; at < endOffset; at += REWRITE_BYTES) {
    const buffer = Buffer.allocUnsafe(Math.min(REWRITE_BYTES, endOffset - at))
    const readBytes = await file.read(buffer, at)
    await file.write([buffer.subarray(0, readBytes)], at)
  }
}

/** What the footer of a sealed batch file says; undefined when it is damaged. */
export async function readFooter(
  file: OpenFile,
  name: BatchName,
): Promise<SealedBatch | undefined> {
  const storedBytes = await file.sizeBytes()
  if (storedBytes < HEADER_BYTES + FOOTER_BYTES) return undefined
  const bytes = Buffer.allocUnsafe(FOOTER_BYTES)
  const readBytes = await file.read(bytes, storedBytes - FOOTER_BYTES)
  const footer = decodeFooter(bytes.subarray(0, readBytes), name.batchId)
  return footer === undefined ? undefined : { ...footer, storedBytes }
}
