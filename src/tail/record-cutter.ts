/**
 * Cuts the bytes of a file into records. A record is a line with its newline, or, where a pattern
 * says how a record begins, such a line and all up to the next of its kind. Each knows the offset at
 * which it ends, for that is the position of the file once the record is acknowledged.
 */
import { BoundedBytes } from './bounded-bytes.ts'

const NEWLINE = 0x0a

export interface CutRecord {
  /** Undefined where there is nothing to send, as for a header line. */
  readonly data: Buffer | undefined
  /** Where the next record begins in the file. */
  readonly endOffset: number
  /** It was longer than a record may be: it ends with a newline at the limit, the rest is left out. */
  readonly isTruncated: boolean
}

export interface CuttingOptions {
  readonly recordBytesMax: number
  /** Lines at the beginning of a file that are no records. */
  readonly skipHeaderLines: number
  /** Tells whether a line begins a record; undefined where every line does. */
  readonly startsRecord: ((line: Buffer) => boolean) | undefined
}

export class RecordCutter {
  readonly #startsRecord: CuttingOptions['startsRecord']
  readonly #line: BoundedBytes
  readonly #held: BoundedBytes
  #headerLinesLeft: number
  #offset: number
  /** Where the held lines end. */
  #heldEndOffset = 0

  /** @param offset of the first byte that it is given; headers are skipped from 0 only */
  constructor(options: CuttingOptions, offset: number) {
    this.#startsRecord = options.startsRecord
    this.#line = new BoundedBytes(options.recordBytesMax)
    this.#held = new BoundedBytes(options.recordBytesMax)
    this.#headerLinesLeft = offset === 0 ? options.skipHeaderLines : 0
    this.#offset = offset
  }

  /** Whether there are whole lines that wait for the next record to begin. */
  get holdsLines(): boolean {
    return !this.#held.isEmpty
  }

  /** Whether there is a line that waits for its newline. */
  get holdsPartialLine(): boolean {
    return !this.#line.isEmpty
  }

  /** The records that are complete with the next bytes of the file. */
  push(bytes: Buffer): CutRecord[] {
    const records: CutRecord[] = []
    let start = 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start) + 1
      if (end === 0) break
      this.#line.append(bytes.subarray(start, end))
      this.#offset += end - start
      this.#endLine(records)
      start = end
    }
    // A copy: the little that waits must not keep the whole read alive.
    if (start < bytes.byteLength) this.#line.append(Buffer.from(bytes.subarray(start)))
    this.#offset += bytes.byteLength - start
    return records
  }

  /** The lines that wait for the next record to begin, as a record: it does not come. */
  endRecord(): CutRecord[] {
    if (this.#held.isEmpty) return []
    return [{ ...this.#held.take(), endOffset: this.#heldEndOffset }]
  }

  /** All that waits, and a line without newline too. */
  endAll(): CutRecord[] {
    const records: CutRecord[] = []
    if (!this.#line.isEmpty) this.#endLine(records)
    return [...records, ...this.endRecord()]
  }

  #endLine(records: CutRecord[]): void {
    const { data, isTruncated } = this.#line.take()
    const endOffset = this.#offset
    if (this.#headerLinesLeft > 0) {
      this.#headerLinesLeft -= 1
      records.push({ data: undefined, endOffset, isTruncated: false })
    } else if (this.#startsRecord === undefined) {
      records.push({ data, endOffset, isTruncated })
    } else {
      if (this.#startsRecord(data)) records.push(...this.endRecord())
      this.#held.append(data, isTruncated)
      this.#heldEndOffset = endOffset
    }
  }
}
