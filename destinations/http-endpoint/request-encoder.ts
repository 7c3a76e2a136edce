/**
 * A batch as requests of Firehose's HTTP protocol, version 1.0:
 *
 *   body:  {"requestId":"<GUID>","timestamp":<ms>,"records":[{"data":"<base64>"},…]}
 *
 * - A request has at most 10,000 records and, before compression, 64 MiB; a single record that is
 *   larger than a preset allows goes alone.
 * - The request id comes from the batch and the request's place in it; the timestamp is when the batch
 *   was sealed. Both are frozen with the range of records, so that each repeat is the same request.
 */
import { strict as assert } from 'node:assert'
import type { SealedBatch } from '../../src/batch.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { recordsOf } from '../../src/chunk.ts'
import type { EncodedOutput, Spool } from '../../src/destination.ts'
import { openCompressor } from '../../src/formats/compression.ts'
import type { Compressor } from '../../src/formats/compressor.ts'
import type { FrozenOutput, OrdinalRange } from '../../src/manifest.ts'
import { outputUuid } from '../../src/objects/object-key.ts'
import { SharedSpool } from '../../src/objects/shared-spool.ts'

export const REQUEST_KIND = 'http-request'

/** As frozen. */
export type RequestTarget = {
  readonly requestId: string
  readonly timestamp: number
}

const RECORD_COUNT_MAX = 10_000
const BODY_BYTES_MAX = 64 * 1024 * 1024
const BLOCK_CHARACTERS = 256 * 1024
/** An upper bound. */
const ENVELOPE_BYTES = 128
const RECORD_START = '{"data":"'
const RECORD_END = '"}'
/** The backup has the first place among a batch's outputs, whether there is one or not. */
const FIRST_OUTPUT_INDEX = 1

export interface RequestEncoderOptions {
  readonly batch: SealedBatch
  readonly contentEncoding: 'NONE' | 'GZIP'
  /** Of a request's records, before base64. */
  readonly dataBytesMax: number
  /** The requests as they were cut before, if they were. */
  readonly frozen: readonly FrozenOutput[] | undefined
  readonly spool: Spool
}

interface OpenRequest {
  readonly target: RequestTarget
  /** Frozen already. */
  readonly range: OrdinalRange | undefined
  readonly compressor: Compressor
  from: number
  to: number
  recordCount: number
  dataBytes: number
  bodyBytes: number
}

export class RequestEncoder {
  readonly #options: RequestEncoderOptions
  readonly #spool: SharedSpool
  readonly #ended: EncodedOutput[] = []
  #request: OpenRequest | undefined
  /** Gathered here, so that a record does not cost a call of the compressor. */
  #text = ''

  constructor(options: RequestEncoderOptions) {
    this.#options = options
    this.#spool = new SharedSpool(options.spool)
  }

  async add(chunk: StoredChunk): Promise<void> {
    let ordinal = chunk.firstOrdinal
    for (const data of recordsOf(chunk)) {
      let request = this.#request ?? this.#begin(ordinal)
      while (this.#isFull(request, ordinal, data.byteLength)) {
        await this.#end(request)
        request = this.#begin(ordinal)
      }
      this.#append(request, ordinal, data)
      if (this.#text.length >= BLOCK_CHARACTERS) await this.#passOn(request)
      this.#request = request
      ordinal += 1
    }
  }

  async finish(): Promise<readonly EncodedOutput[]> {
    if (this.#request !== undefined) await this.#end(this.#request)
    // What lost all its records since it was frozen stays an output.
    while (this.#ended.length < (this.#options.frozen?.length ?? 0)) await this.#end(this.#begin(0))
    await this.#spool.finish()
    return this.#ended
  }

  #isFull(request: OpenRequest, ordinal: number, dataBytes: number): boolean {
    if (request.range !== undefined) return ordinal >= request.range.to
    if (request.recordCount === 0) return false
    return (
      request.recordCount === RECORD_COUNT_MAX ||
      request.dataBytes + dataBytes > this.#options.dataBytesMax ||
      request.bodyBytes + encodedBytes(dataBytes) > BODY_BYTES_MAX
    )
  }

  #begin(ordinal: number): OpenRequest {
    const { batch, frozen, contentEncoding } = this.#options
    const index = this.#ended.length
    const former = frozen?.[index]
    assert(frozen === undefined || former !== undefined, 'a frozen batch keeps its requests')
    const target = (former?.target as RequestTarget | undefined) ?? {
      requestId: outputUuid(batch.batchId, FIRST_OUTPUT_INDEX + index),
      timestamp: batch.sealedAtMs,
    }
    this.#text = `{"requestId":"${target.requestId}","timestamp":${target.timestamp},"records":[`
    const format = contentEncoding === 'GZIP' ? 'GZIP' : 'UNCOMPRESSED'
    return {
      target,
      range: former?.range,
      compressor: openCompressor(format, { entryName: '' }, (bytes) => this.#spool.write(bytes)),
      from: ordinal,
      to: ordinal,
      recordCount: 0,
      dataBytes: 0,
      bodyBytes: ENVELOPE_BYTES,
    }
  }

  #append(request: OpenRequest, ordinal: number, data: Buffer): void {
    if (request.recordCount > 0) this.#text += ','
    this.#text += RECORD_START
    this.#text += data.toString('base64')
    this.#text += RECORD_END
    request.to = ordinal + 1
    request.recordCount += 1
    request.dataBytes += data.byteLength
    request.bodyBytes += encodedBytes(data.byteLength)
  }

  async #passOn({ compressor }: OpenRequest): Promise<void> {
    const bytes = Buffer.from(this.#text, 'latin1')
    this.#text = ''
    await compressor.write(bytes)
  }

  async #end(request: OpenRequest): Promise<void> {
    this.#text += ']}'
    await this.#passOn(request)
    await request.compressor.finish()
    const { target, from, to, recordCount } = request
    this.#ended.push({
      kind: REQUEST_KIND,
      target,
      accounting: 'delivered',
      recordCount,
      range: request.range ?? { from, to },
      content: this.#spool.endContent(),
      ...(this.#options.contentEncoding === 'GZIP' && { contentFormat: 'GZIP' as const }),
    })
    this.#request = undefined
  }
}

/** With the comma before it. */
function encodedBytes(dataBytes: number): number {
  return Math.ceil(dataBytes / 3) * 4 + RECORD_START.length + RECORD_END.length + 1
}
