/**
 * One file from its adoption to its end, by an open handle: renamed or deleted, it is still the same
 * file. It is read in pieces, only when what was cut from the last piece is taken. When it is
 * truncated, that is its end: what is in the file from then on is another one.
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { HEAD_BYTES_MAX, fileKey, readAt, sha256Of } from './file-identity.ts'
import type { FilePosition } from './file-identity.ts'
import type { FoundFile } from './file-search.ts'
import { RecordCutter } from './record-cutter.ts'
import type { CutRecord, CuttingOptions } from './record-cutter.ts'

const READ_BYTES = 256 * 1024
const NEWLINE = 0x0a

export class FollowedFile {
  readonly key: string
  readonly series: string
  /** Where it was last seen. */
  path: string
  /** All before it is acknowledged. */
  acknowledgedOffset: number
  /** The truncated file that this copy goes on for. */
  original: FollowedFile | undefined
  /** Since when no pattern finds it; undefined while one does. */
  absentSinceMs: number | undefined
  readonly #handle: FileHandle
  readonly #device: string
  readonly #inode: string
  readonly #cutter: RecordCutter
  #head: Buffer
  #headSha256: string
  #sizeBytes: number
  #readOffset: number
  #grownAtMs: number
  #modifiedMs = -1
  #isOver = false
  #records: CutRecord[] = []
  #nextRecord = 0
  /** Where the last record ends that was cut, and the last that was taken. */
  #cutOffset: number
  #takenOffset = 0

  /** @param offset of the first byte that is to be sent */
  constructor(opened: OpenedFile, series: string, offset: number, start: Start) {
    const { handle, found, head, sizeBytes } = opened
    this.key = fileKey(found)
    this.series = series
    this.path = found.path
    this.acknowledgedOffset = offset
    this.#handle = handle
    this.#device = found.device
    this.#inode = found.inode
    this.#cutter = new RecordCutter(start.cutting, offset)
    this.#head = head
    this.#headSha256 = sha256Of(head)
    this.#sizeBytes = sizeBytes
    this.#readOffset = offset
    this.#cutOffset = offset
    this.#grownAtMs = start.nowMs
  }

  /** Nothing more will be read: it was truncated, or has been away and quiet for long. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** It is over, and all that was read of it is acknowledged. */
  get isDone(): boolean {
    return this.#isOver && !this.hasMore && this.acknowledgedOffset >= this.#takenOffset
  }

  /** Whether there is something that could be taken now, as far as is known. */
  get hasMore(): boolean {
    return this.#nextRecord < this.#records.length || (!this.#isOver && this.unreadBytes > 0)
  }

  get readOffset(): number {
    return this.#readOffset
  }

  /** Where to go on in a copy of it: behind the last record that came out of it. */
  get cutOffset(): number {
    return this.#cutOffset
  }

  get unreadBytes(): number {
    return Math.max(this.#sizeBytes - this.#readOffset, 0)
  }

  /** Of a copy, what is still to be acknowledged of its original counts too. */
  get position(): FilePosition {
    const original = this.original?.isDone === false ? this.original : this
    return {
      path: this.path,
      device: this.#device,
      inode: this.#inode,
      headBytes: this.#head.byteLength,
      headSha256: this.#headSha256,
      offset: Math.min(this.acknowledgedOffset, original.acknowledgedOffset),
      sizeBytes: this.#sizeBytes,
    }
  }

  /** Whether the other begins as this one did when it was last looked at, as far as both go. */
  beginsAs({ head }: OpenedFile): boolean {
    const byteCount = Math.min(this.#head.byteLength, head.byteLength)
    return byteCount > 0 && this.#head.subarray(0, byteCount).equals(head.subarray(0, byteCount))
  }

  /** How long it has not grown. */
  quietMs(nowMs: number): number {
    return nowMs - this.#grownAtMs
  }

  /**
   * Looks whether it has grown, and whether it is still what was read before.
   * @returns how many bytes were seen and are gone unread; undefined when it was not truncated. It is
   *   over when nothing is left of it
   */
  async look(nowMs: number): Promise<number | undefined> {
    const { size, mtimeMs } = await this.#handle.stat()
    if (size === this.#sizeBytes && mtimeMs === this.#modifiedMs) return undefined
    this.#modifiedMs = mtimeMs
    const head = await readAt(this.#handle, 0, HEAD_BYTES_MAX)
    if (size < this.#readOffset || !head.subarray(0, this.#head.byteLength).equals(this.#head)) {
      this.#isOver = true
      return this.unreadBytes
    }
    if (head.byteLength > this.#head.byteLength) {
      this.#head = head
      this.#headSha256 = sha256Of(head)
    }
    const lostBytes = this.#sizeBytes - size
    if (size !== this.#sizeBytes) this.#grownAtMs = nowMs
    this.#sizeBytes = size
    return lostBytes > 0 ? lostBytes : undefined
  }

  /** The next record that was cut, without taking it. */
  peek(): CutRecord | undefined {
    return this.#records[this.#nextRecord]
  }

  take(): void {
    this.#takenOffset = this.peek()?.endOffset ?? this.#takenOffset
    this.#nextRecord += 1
  }

  /** Reads the next piece once all that was cut is taken. False when there is none. */
  async read(): Promise<boolean> {
    if (this.#isOver || this.unreadBytes === 0) return false
    const bytes = await readAt(
      this.#handle,
      this.#readOffset,
      Math.min(READ_BYTES, this.unreadBytes),
    )
    this.#readOffset += bytes.byteLength
    this.#add(this.#cutter.push(bytes))
    return bytes.byteLength > 0
  }

  /** Whether whole lines wait for the next record to begin. */
  get holdsLines(): boolean {
    return this.#cutter.holdsLines
  }

  get holdsPartialLine(): boolean {
    return this.#cutter.holdsPartialLine
  }

  /** Waits for the next record no longer. */
  endRecord(): void {
    this.#add(this.#cutter.endRecord())
  }

  /** Waits no longer, for the newline of the last line neither. */
  endLine(): void {
    this.#add(this.#cutter.endAll())
  }

  /** Nothing more is read; what waits can still be taken. */
  end(): void {
    this.endLine()
    this.#isOver = true
  }

  /** Forgets what was read and not taken; somebody else goes on at its position. */
  abandon(): void {
    this.#isOver = true
    this.#records = []
    this.#nextRecord = 0
  }

  async close(): Promise<void> {
    this.#isOver = true
    await this.#handle.close()
  }

  #add(records: CutRecord[]): void {
    this.#records = [...this.#records.slice(this.#nextRecord), ...records]
    this.#nextRecord = 0
    this.#cutOffset = records.at(-1)?.endOffset ?? this.#cutOffset
  }
}

export interface Start {
  readonly cutting: CuttingOptions
  readonly nowMs: number
}

/** A file with its first bytes, before it is decided where reading begins. */
export interface OpenedFile {
  readonly handle: FileHandle
  readonly found: FoundFile
  readonly head: Buffer
  readonly sizeBytes: number
}

/** Undefined when another file has taken its name in the meantime. */
export async function openFile(found: FoundFile): Promise<OpenedFile | undefined> {
  const handle = await open(found.path, 'r')
  try {
    const seen = await handle.stat({ bigint: true })
    if (String(seen.dev) !== found.device || String(seen.ino) !== found.inode) {
      await handle.close()
      return undefined
    }
    const head = await readAt(handle, 0, HEAD_BYTES_MAX)
    return { handle, found, head, sizeBytes: Math.max(Number(seen.size), head.byteLength) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Whether the file is the one of that position, or a copy, by its first bytes. */
export function isSameFile({ head }: OpenedFile, { headBytes, headSha256 }: FilePosition): boolean {
  return head.byteLength >= headBytes && sha256Of(head.subarray(0, headBytes)) === headSha256
}

/**
 * Where to begin so that only lines that end later are sent: behind the last newline. A file that has
 * not got its header lines yet begins at its beginning, for they must be skipped.
 */
export async function endOffset(
  { handle, head, sizeBytes }: OpenedFile,
  { recordBytesMax, skipHeaderLines }: CuttingOptions,
): Promise<number> {
  const headerLines = head.reduce((count, byte) => count + (byte === NEWLINE ? 1 : 0), 0)
  if (headerLines < skipHeaderLines && sizeBytes <= HEAD_BYTES_MAX) return 0
  const tailOffset = Math.max(sizeBytes - recordBytesMax, 0)
  const tail = await readAt(handle, tailOffset, sizeBytes - tailOffset)
  const newline = tail.lastIndexOf(NEWLINE)
  if (newline === -1 && tailOffset > 0) return sizeBytes
  return tailOffset + newline + 1
}
