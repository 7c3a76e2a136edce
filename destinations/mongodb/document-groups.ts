/**
 * How a batch is divided into inserts, one output each, so that the fate of one insert is the fate of
 * one output. Records stand in their order of arrival; an output ends before it would hold more than
 * 4 MiB of data or 5,000 records. A batch whose outputs are frozen is divided as it was then.
 */
import { strict as assert } from 'node:assert'
import type { StoredChunk } from '../../src/batch-store.ts'
import { recordLength } from '../../src/chunk.ts'
import type { EncodedOutput } from '../../src/destination.ts'
import type { Manifest } from '../../src/manifest.ts'

export const DOCUMENTS_KIND = 'documents'

const DATA_BYTES_MAX = 4 * 1024 * 1024
const RECORD_COUNT_MAX = 5_000

/** Where documents go, as the manifest keeps it. */
export type DocumentsTarget = {
  readonly database: string
  readonly collection: string
}

interface Group {
  readonly target: DocumentsTarget
  readonly from: number
  to: number
  recordCount: number
  dataBytes: number
}

export class DocumentGroups {
  readonly #target: DocumentsTarget
  readonly #groups: Group[] = []
  readonly #isFrozen: boolean

  constructor(target: DocumentsTarget, frozen: Manifest | undefined) {
    this.#target = target
    this.#isFrozen = frozen !== undefined
    for (const { kind, target, range } of frozen?.outputs ?? []) {
      if (kind !== DOCUMENTS_KIND) continue
      assert(range !== undefined, 'an output of documents has a range')
      const counts = { recordCount: 0, dataBytes: 0 }
      this.#groups.push({ target: target as DocumentsTarget, ...range, ...counts })
    }
  }

  /** Passes the chunks on, having seen them. */
  async *seen(chunks: AsyncIterable<StoredChunk>): AsyncGenerator<StoredChunk> {
    for await (const chunk of chunks) {
      for (let index = 0; index < chunk.recordCount; index += 1) {
        this.#add(chunk.firstOrdinal + index, recordLength(chunk.payload, index))
      }
      yield chunk
    }
  }

  outputs(): readonly EncodedOutput[] {
    return this.#groups.map(({ target, from, to, recordCount }) => ({
      kind: DOCUMENTS_KIND,
      target,
      accounting: 'delivered',
      recordCount,
      range: { from, to },
    }))
  }

  #add(ordinal: number, dataBytes: number): void {
    const group = this.#isFrozen ? this.#frozenGroup(ordinal) : this.#roomFor(ordinal, dataBytes)
    group.recordCount += 1
    group.dataBytes += dataBytes
    group.to = Math.max(group.to, ordinal + 1)
  }

  #frozenGroup(ordinal: number): Group {
    const group = this.#groups.find(({ from, to }) => ordinal >= from && ordinal < to)
    assert(group !== undefined, 'a frozen batch keeps its records')
    return group
  }

  #roomFor(ordinal: number, dataBytes: number): Group {
    const last = this.#groups.at(-1)
    const hasRoom =
      last !== undefined &&
      last.recordCount < RECORD_COUNT_MAX &&
      last.dataBytes + dataBytes <= DATA_BYTES_MAX
    if (hasRoom) return last
    const target = this.#target
    const group = { target, from: ordinal, to: ordinal, recordCount: 0, dataBytes: 0 }
    this.#groups.push(group)
    return group
  }
}
