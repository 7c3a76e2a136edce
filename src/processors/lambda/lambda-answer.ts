/**
 * What a function answered, held against what it was asked (facts: Processing):
 *
 *   {"records": [{"recordId", "result": "Ok" | "Dropped" | "ProcessingFailed", "data", "metadata"?}]}
 *
 * Data of what was read from Kafka may come as `kafkaRecordValue`, as AWS has it. Each record that was
 * sent is to come back once, in any order. What is wrong with the answer as a
 * whole fails all of the invocation's records:
 *
 * - Lambda.FunctionError: it is larger than Lambda lets through, has no list of records, a result that
 *   there isn't, or data of an Ok that isn't base64,
 * - Lambda.DuplicatedRecordId: a record came back twice,
 * - Lambda.JsonProcessingException: a record or its metadata is not of the form above, or more came
 *   back than was sent.
 *
 * A record that didn't come back fails alone. What came back under an id that was never sent takes the
 * place of such a record, and nothing is lost, for its original goes to the error output. But where all
 * came back and something besides, the function means to make records, and what it made would be lost
 * without a word: hence the last rule.
 */
import { base64Room, writeBase64 } from '../../base/base64.ts'
import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import { dataNames } from '../../functions.ts'
import type { FunctionAnswer, TransformationEvent, TransformationRecord } from '../../functions.ts'
import { PAYLOAD_BYTES_MAX } from './lambda-invocation.ts'

/** What is to become of one record. */
export type Verdict =
  | Transformed
  | { readonly kind: 'dropped' }
  | { readonly kind: 'failed'; readonly errorCode: string; readonly errorMessage: string }

export interface Transformed {
  readonly kind: 'ok'
  readonly data: Buffer
  readonly partitionKeys?: ReadonlyMap<string, string>
}

const DROPPED: Verdict = { kind: 'dropped' }
const PROCESSING_FAILED: Verdict = {
  kind: 'failed',
  errorCode: 'Lambda.ProcessingFailedStatus',
  errorMessage: 'ProcessingFailed status set for record',
}
export const MISSING = {
  kind: 'failed',
  errorCode: 'Lambda.MissingRecordId',
  errorMessage: 'The function did not return the record',
} as const satisfies Verdict

/** The answer is wrong as a whole. To ask again would not help. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer'
  readonly errorCode: string

  constructor(errorCode: string, message: string) {
    super(message)
    this.errorCode = errorCode
  }
}

/**
 * A verdict on each record that was sent, in the order they were sent in.
 * @throws MalformedAnswer
 */
export function judge(
  { value, sizeBytes }: FunctionAnswer,
  event: Pick<TransformationEvent, 'sourceMSKArn' | 'records'>,
): readonly Verdict[] {
  if (sizeBytes > PAYLOAD_BYTES_MAX) {
    throw functionError(`The function returned ${sizeBytes} bytes, more than ${PAYLOAD_BYTES_MAX}`)
  }
  if (!isJsonObject(value) || !Array.isArray(value['records'])) {
    throw functionError('The function did not return a list of records')
  }
  const returned: readonly unknown[] = value['records']
  const { records: sent } = event
  const hasTwoNames = dataNames(event).length > 1
  const indexes = new Map(sent.map((record, index) => [record.recordId, index]))
  const verdicts: Verdict[] = sent.map(() => MISSING)
  for (const record of returned) {
    if (!isJsonObject(record)) throw formError('A record that the function returned is no object')
    const { recordId } = record
    if (typeof recordId !== 'string') continue
    const index = indexes.get(recordId)
    if (index === undefined) continue
    if (verdicts[index] !== MISSING) {
      const message = `The function returned the record ${recordId} more than once`
      throw new MalformedAnswer('Lambda.DuplicatedRecordId', message)
    }
    const data = hasTwoNames ? dataOfKafka(record, sent[index]) : record['data']
    verdicts[index] = verdictOf(recordId, record, data)
  }
  if (returned.length > sent.length) {
    throw formError(`The function returned ${returned.length} records for ${sent.length}`)
  }
  return verdicts
}

/**
 * A function may give its record back with one of the two changed: what it left as it was does not
 * count.
 */
function dataOfKafka(
  { data, kafkaRecordValue }: JsonObject,
  sent: TransformationRecord | undefined,
): unknown {
  if (kafkaRecordValue === undefined || kafkaRecordValue === null) return data
  if (data === undefined || data === null) return kafkaRecordValue
  return kafkaRecordValue === sent?.data ? data : kafkaRecordValue
}

function verdictOf(recordId: string, { result, metadata }: JsonObject, data: unknown): Verdict {
  switch (result) {
    case 'Ok': {
      const bytes = dataOf(data)
      if (bytes === undefined) {
        throw functionError(`The data returned for the record ${recordId} is not base64`)
      }
      const partitionKeys = partitionKeysOf(metadata)
      return { kind: 'ok', data: bytes, ...(partitionKeys && { partitionKeys }) }
    }
    case 'Dropped':
      return DROPPED
    case 'ProcessingFailed':
      return PROCESSING_FAILED
    default:
      throw functionError(
        `The result returned for the record ${recordId} is none of Ok, Dropped and ProcessingFailed`,
      )
  }
}

/** Absent and null are the same: typed languages write members that are not set as null. */
function partitionKeysOf(metadata: unknown): ReadonlyMap<string, string> | undefined {
  if (metadata === undefined || metadata === null) return undefined
  if (!isJsonObject(metadata)) throw formError('The metadata of a returned record is no object')
  const { partitionKeys } = metadata
  if (partitionKeys === undefined || partitionKeys === null) return undefined
  if (!isJsonObject(partitionKeys)) {
    throw formError('The partitionKeys of a returned record are no object')
  }
  const keys = new Map<string, string>()
  for (const [name, value] of Object.entries(partitionKeys)) {
    if (typeof value !== 'string') {
      throw formError(`The partition key ${name} of a returned record is not a string`)
    }
    keys.set(name, value)
  }
  return keys
}

/** Undefined when it is none. */
function dataOf(data: unknown): Buffer | undefined {
  if (Buffer.isBuffer(data)) return data
  if (typeof data !== 'string') return undefined
  const bytes = Buffer.allocUnsafe(base64Room(data))
  const sizeBytes = writeBase64(data, bytes, 0)
  return sizeBytes === undefined ? undefined : bytes.subarray(0, sizeBytes)
}

function functionError(message: string): MalformedAnswer {
  return new MalformedAnswer('Lambda.FunctionError', message)
}

function formError(message: string): MalformedAnswer {
  return new MalformedAnswer('Lambda.JsonProcessingException', message)
}
