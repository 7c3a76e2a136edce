/**
 * How a batch is divided into bulk requests, one output each, so that the fate of one request is the
 * fate of one output. Records stand in their order of arrival; an output ends
 *
 * - where the index rotates: each record goes to the index of its own arrival, so that a batch filled
 *   across midnight is divided between two days;
 * - before it would hold more than 5 MiB of data, or 10,000 records.
 *
 * The index is fixed in the manifest. A batch whose outputs are frozen is divided as it was then.
 */
import { strict as assert } from 'node:assert'
import type { JsonObject } from '../../src/base/json.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { recordLength } from '../../src/chunk.ts'
import type { EncodedOutput } from '../../src/destination.ts'
import type { Manifest } from '../../src/manifest.ts'
import type { DocumentIdFormat, OpenSearchConfiguration } from './configuration.ts'
import { rotatedIndexName } from './index-name.ts'

export const DOCUMENTS_KIND = 'documents'

const DATA_BYTES_MAX = 5 * 1024 * 1024
const RECORD_COUNT_MAX = 10_000

/** Where documents go, as the manifest keeps it. */
export type DocumentsTarget = {
  readonly index: string
  /** Only where one is configured. */
  readonly type?: string
  readonly documentIds: DocumentIdFormat
}

interface OpenOutput {
  readonly target: DocumentsTarget
  readonly from: number
  to: number
  recordCount: number
  dataBytes: number
}

export class DocumentOutputs {
  readonly #configuration: OpenSearchConfiguration
  readonly #outputs: OpenOutput[] = []
  readonly #frozen: boolean
  /** Of the frozen ones, the output that the last record belonged to. */
  #place = 0

  constructor(configuration: JsonObject, frozen: Manifest | undefined) {
    this.#configuration = configuration as OpenSearchConfiguration
    this.#frozen = frozen !== undefined
    for (const { kind, target, range } of frozen?.outputs ?? []) {
      if (kind !== DOCUMENTS_KIND) continue
      assert(range !== undefined, 'an output of documents has a range')
      const counts = { recordCount: 0, dataBytes: 0 }
      this.#outputs.push({ target: target as DocumentsTarget, ...range, ...counts })
    }
  }

  /** The batch's next chunk. */
  add({ arrivalMs, firstOrdinal, recordCount, payload }: StoredChunk): void {
    const target = targetOf(this.#configuration, arrivalMs)
    for (let index = 0; index < recordCount; index += 1) {
      const ordinal = firstOrdinal + index
      const dataBytes = recordLength(payload, index)
      const output = this.#frozen
        ? this.#frozenOutput(ordinal)
        : this.#roomFor(target, ordinal, dataBytes)
      output.recordCount += 1
      output.dataBytes += dataBytes
      output.to = Math.max(output.to, ordinal + 1)
    }
  }

  encoded(): readonly EncodedOutput[] {
    return this.#outputs.map(({ target, from, to, recordCount }) => ({
      kind: DOCUMENTS_KIND,
      target,
      accounting: 'delivered',
      recordCount,
      range: { from, to },
    }))
  }

  #frozenOutput(ordinal: number): OpenOutput {
    while (ordinal >= (this.#outputs[this.#place]?.to ?? Infinity)) this.#place += 1
    const output = this.#outputs[this.#place]
    assert(output !== undefined && ordinal >= output.from, 'a frozen batch keeps its records')
    return output
  }

  #roomFor(target: DocumentsTarget, ordinal: number, dataBytes: number): OpenOutput {
    const last = this.#outputs.at(-1)
    if (
      last?.target.index === target.index &&
      last.recordCount < RECORD_COUNT_MAX &&
      last.dataBytes + dataBytes <= DATA_BYTES_MAX
    ) {
      return last
    }
    const output = { target, from: ordinal, to: ordinal, recordCount: 0, dataBytes: 0 }
    this.#outputs.push(output)
    return output
  }
}

function targetOf(configuration: OpenSearchConfiguration, arrivalMs: number): DocumentsTarget {
  const { IndexName, IndexRotationPeriod = 'NoRotation', TypeName = '' } = configuration
  return {
    index: rotatedIndexName(IndexName, IndexRotationPeriod, arrivalMs),
    ...(TypeName !== '' && { type: TypeName }),
    documentIds: documentIdsOf(configuration),
  }
}

export function documentIdsOf({ DocumentIdOptions }: OpenSearchConfiguration): DocumentIdFormat {
  return DocumentIdOptions?.DefaultDocumentIdFormat ?? 'FIREHOSE_DEFAULT'
}
