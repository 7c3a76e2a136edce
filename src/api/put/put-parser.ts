/**
 * Reads the bodies of PutRecord and PutRecordBatch in any form that JSON allows, and answers for what
 * is wrong with them. The slow and complete twin of put-scanner.ts.
 */
import { strict as assert } from 'node:assert'
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'
import { chunkOf } from '../../chunk.ts'
import { parseJsonBody } from '../json-body.ts'
import { validateInput } from '../validation.ts'
import type { PutInput, PutOperationName } from './put-input.ts'

/** @throws ApiError SerializationException or ValidationException */
export function parsePut(operation: PutOperationName, body: Buffer): PutInput {
  // From here on the model holds: names and limits are kept, Data is base64.
  const input = validateInput(operation, parseJsonBody(body))
  const streamName = input['DeliveryStreamName']
  assert(typeof streamName === 'string', 'the model requires a stream name')
  const records = operation === 'PutRecord' ? [input['Record']] : input['Records']
  assert(Array.isArray(records), 'the model requires records')
  const { recordCount, payload } = chunkOf(records.map(decodeRecord), 0)
  return { streamName, recordCount, payload }
}

function decodeRecord(record: Json | undefined): Buffer {
  assert(isJsonObject(record) && typeof record['Data'] === 'string', 'the model requires data')
  return Buffer.from(record['Data'], 'base64')
}
