/**
 * Which records go to a function together, and what they look like there (facts: Processing): what a
 * source tells of a record stands beside its data. An invocation takes records, in their order, until
 * one more would not fit:
 *
 * - the data come to no more than the processor's buffer size,
 * - the request's JSON, with the data in base64 and all that is told of it, is no larger than Lambda
 *   takes,
 * - there are no more than 10,000 records.
 *
 * The first record is taken whatever its size.
 */
import { strict as assert } from 'node:assert'
import { BufferPool } from '../../base/buffer-pool.ts'
import { Copies } from '../../base/copies.ts'
import type { JsonObject } from '../../base/json.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import { dataNames } from '../../functions.ts'
import type { TransformationEvent, TransformationRecord } from '../../functions.ts'
import type { ProcessingJob, ProcessingRecord, Records } from '../../processor.ts'
import { encodeRecordId } from '../../record.ts'

/** What Lambda takes as a request, and as an answer. */
export const PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
const RECORD_COUNT_MAX = 10_000
/** What a record of the request has besides its values and its data, with the comma to the next one. */
const RECORD_FRAME_BYTES = '{"recordId":"","approximateArrivalTimestamp":},'.length
const INVOCATION_ID_FRAME_BYTES = '"invocationId":"00000000-0000-4000-8000-000000000000",'.length

type RepeatedEvent = Omit<TransformationEvent, 'invocationId'>

export class Invocation {
  /** In memory of their own, until `release`. */
  readonly records: ProcessingRecord[] = []
  /** What all attempts have in common. */
  readonly event: RepeatedEvent
  readonly #dataNames: readonly string[]
  readonly #request: TransformationRecord[] = []
  readonly #job: ProcessingJob
  readonly #bufferBytes: number
  readonly #copies: Copies
  #dataBytes = 0
  #requestBytes: number

  constructor(job: ProcessingJob, bufferBytes: number, memory: BufferPool) {
    this.#copies = new Copies(memory)
    const { arn } = job.stream
    this.event = {
      deliveryStreamArn: arn,
      ...sourceOf(job.stream),
      region: arn.split(':')[3] ?? '',
      records: this.#request,
    }
    this.#dataNames = dataNames(this.event)
    this.#job = job
    this.#bufferBytes = bufferBytes
    // Each record counts a comma, and the last one has none.
    this.#requestBytes =
      INVOCATION_ID_FRAME_BYTES + Buffer.byteLength(JSON.stringify(this.event)) - 1
  }

  /** The size of the request's JSON. */
  get requestBytes(): number {
    return this.#requestBytes
  }

  /** Whether there was room. The record's memory is its owner's again. */
  take(record: ProcessingRecord): boolean {
    const { arrivalMs, data, metadata } = record
    const recordId = recordIdOf(record, this.#job)
    const dataBytes = this.#dataBytes + data.byteLength
    const requestBytes =
      this.#requestBytes +
      RECORD_FRAME_BYTES +
      recordId.length +
      String(arrivalMs).length +
      dataBytesOf(data, this.#dataNames) +
      metadataBytesOf(metadata)
    const fits =
      dataBytes <= this.#bufferBytes &&
      requestBytes <= PAYLOAD_BYTES_MAX &&
      this.records.length < RECORD_COUNT_MAX
    if (!fits && this.records.length > 0) return false
    const original = this.#copies.copy(record.original)
    const bytes = data === record.original ? original : this.#copies.copy(data)
    this.#request.push(new SentRecord(recordId, arrivalMs, bytes, this.#dataNames, metadata))
    this.records.push({ ...record, data: bytes, original })
    this.#dataBytes = dataBytes
    this.#requestBytes = requestBytes
    return true
  }

  /** Gives the records' memory back: nobody needs them any more. */
  release(): void {
    this.#copies.release()
  }
}

/** Base64 is made where it is wanted, which the threads of local functions are. */
class SentRecord implements TransformationRecord {
  readonly recordId: string
  readonly approximateArrivalTimestamp: number
  readonly bytes: Buffer
  readonly #dataNames: readonly string[]

  constructor(
    recordId: string,
    arrivalMs: number,
    bytes: Buffer,
    names: readonly string[],
    metadata: JsonObject | undefined,
  ) {
    this.recordId = recordId
    this.approximateArrivalTimestamp = arrivalMs
    this.bytes = bytes
    this.#dataNames = names
    if (metadata !== undefined) Object.assign(this, metadata)
  }

  get data(): string {
    return this.bytes.toString('base64')
  }

  toJSON(): object {
    const { bytes, ...members } = this
    const data = bytes.toString('base64')
    for (const name of this.#dataNames) Object.assign(members, { [name]: data })
    return members
  }
}

export async function* gatherInvocations(
  records: Records,
  job: ProcessingJob,
  bufferBytes: number,
): AsyncGenerator<Invocation, void, undefined> {
  const memory = new BufferPool()
  let invocation = new Invocation(job, bufferBytes, memory)
  for await (const group of records) {
    for (const record of group) {
      if (invocation.take(record)) continue
      yield invocation
      invocation = new Invocation(job, bufferBytes, memory)
      invocation.take(record)
    }
  }
  if (invocation.records.length > 0) yield invocation
}

/** What the stream reads, as AWS tells of it. */
function sourceOf({ type, source }: DeliveryStream): Partial<RepeatedEvent> {
  const arn = (member: string): string => {
    const value = source?.[member]
    assert(typeof value === 'string', `a source of type ${type} has a ${member}`)
    return value
  }
  if (type === 'KinesisStreamAsSource') return { sourceKinesisStreamArn: arn('KinesisStreamARN') }
  if (type === 'MSKAsSource') return { sourceMSKArn: arn('MSKClusterARN') }
  return {}
}

/** With the comma before each. */
function dataBytesOf({ byteLength }: Buffer, names: readonly string[]): number {
  const base64Bytes = Math.ceil(byteLength / 3) * 4
  return names.reduce((sum, name) => sum + `,"${name}":""`.length + base64Bytes, 0)
}

/** Braces go, and a comma comes. */
function metadataBytesOf(metadata: JsonObject | undefined): number {
  return metadata === undefined ? 0 : Buffer.byteLength(JSON.stringify(metadata)) - 1
}

/** Stable, whatever the attempt; where a record was split, its parts have ids of their own. */
function recordIdOf({ ordinal, part }: ProcessingRecord, { batch }: ProcessingJob): string {
  const recordId = encodeRecordId(batch.batchId, ordinal)
  return part === undefined ? recordId : `${recordId}.${part}`
}
