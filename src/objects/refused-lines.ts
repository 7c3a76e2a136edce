import { strict as assert } from 'node:assert'
import type { JsonObject } from '../base/json.ts'
import type { StoredChunk } from '../batch-store.ts'
import { recordsOf } from '../chunk.ts'
import type { ErrorOutputJob } from '../error-output.ts'
import type { FrozenOutput, Refusal } from '../manifest.ts'

const BLOCK_CHARACTERS = 256 * 1024

interface RefusedRecord {
  readonly refusal: Refusal
  readonly output: FrozenOutput
}

/**
 * The error records of what a destination refused, a line each, in the batch's order; together in
 * blocks, so that none costs a call of the compressor. A record whose chunk is lost has none.
 */
export async function* refusedLines(
  {
    batch,
    policy,
    manifest,
    chunks,
  }: Pick<ErrorOutputJob, 'batch' | 'policy' | 'manifest' | 'chunks'>,
  onLine: () => void,
): AsyncGenerator<Buffer> {
  const refused = refusedRecords(manifest.outputs)
  let lines = ''
  for await (const chunk of chunks) {
    for (const [ordinal, data] of ordinalsOf(chunk)) {
      const record = refused.get(ordinal)
      if (record === undefined) continue
      const members = policy.errorMembers(ordinal, record.output, batch)
      lines += errorLine(record.refusal, chunk.arrivalMs, members, data)
      onLine()
      if (lines.length < BLOCK_CHARACTERS) continue
      yield Buffer.from(lines)
      lines = ''
    }
  }
  if (lines !== '') yield Buffer.from(lines)
}

function refusedRecords(outputs: readonly FrozenOutput[]): Map<number, RefusedRecord> {
  const refused = new Map<number, RefusedRecord>()
  for (const output of outputs) {
    for (const refusal of output.progress?.refused ?? []) {
      assert(!refused.has(refusal.ordinal), 'a record is refused by one output')
      refused.set(refusal.ordinal, { refusal, output })
    }
  }
  return refused
}

function* ordinalsOf(chunk: StoredChunk): Generator<[number, Buffer]> {
  let ordinal = chunk.firstOrdinal
  for (const data of recordsOf(chunk)) yield [ordinal++, data]
}

function errorLine(
  { attempts, errorCode, errorMessage, atMs }: Refusal,
  arrivalMs: number,
  members: JsonObject,
  data: Buffer,
): string {
  const record = {
    attemptsMade: attempts,
    arrivalTimestamp: arrivalMs,
    errorCode,
    errorMessage,
    attemptEndingTimestamp: atMs,
    ...members,
    rawData: data.toString('base64'),
  }
  return `${JSON.stringify(record)}\n`
}
