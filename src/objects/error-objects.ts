/**
 * The error output as an object (facts: error outputs): a line of JSON for each record, named by the
 * S3 configuration's ErrorOutputPrefix with the usual suffix.
 */
import { strict as assert } from 'node:assert'
import type { JsonObject } from '../base/json.ts'
import type { StoredChunk } from '../batch-store.ts'
import { recordsOf } from '../chunk.ts'
import type { EncodedOutput } from '../destination.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { ErrorOutput, ErrorOutputJob } from '../error-output.ts'
import { openCompressor } from '../formats/compression.ts'
import type { FrozenOutput, Refusal } from '../manifest.ts'
import type { ObjectStore } from '../object-store.ts'
import { DELIVERY_PREFIX_RULES } from './delivery-configuration.ts'
import { outputUuid } from './object-key.ts'
import { nameObjects, putObject } from './object-outputs.ts'
import type { S3Target } from './object-outputs.ts'
import type { S3Configuration } from './s3-configuration.ts'
import { s3Prefixes } from './s3-configuration.ts'

/** Beyond the index of any other output of a batch. */
const OUTPUT_INDEX = 1_000_000
const BLOCK_BYTES = 256 * 1024

interface RefusedRecord {
  readonly refusal: Refusal
  readonly output: FrozenOutput
}

export class ErrorObjects implements ErrorOutput {
  readonly #objectStore: ObjectStore

  constructor(objectStore: ObjectStore) {
    this.#objectStore = objectStore
  }

  async encode(job: ErrorOutputJob): Promise<EncodedOutput> {
    const { batch, policy } = job
    const configuration = policy.s3Configuration as S3Configuration
    const spool = job.openSpool()
    const compressor = openCompressor(
      configuration.CompressionFormat,
      { entryName: outputUuid(batch.batchId, OUTPUT_INDEX) },
      (bytes) => spool.write(bytes),
    )
    let recordCount = 0
    let lines = ''
    for await (const line of errorLines(job)) {
      recordCount += 1
      lines += line
      if (lines.length < BLOCK_BYTES) continue
      await compressor.write(Buffer.from(lines))
      lines = ''
    }
    await compressor.write(Buffer.from(lines))
    await compressor.finish()
    return {
      kind: ERROR_OUTPUT_KIND,
      target: errorTarget(job, configuration),
      accounting: 'errored',
      recordCount,
      content: await spool.finish(),
    }
  }

  async deliver({ policy, ...job }: Parameters<ErrorOutput['deliver']>[0]): Promise<void> {
    await putObject(this.#objectStore, policy.s3Configuration as S3Configuration, job)
  }
}

/** The name of the batch's one error object. */
function errorTarget(
  { batch, stream, policy }: ErrorOutputJob,
  configuration: S3Configuration,
): S3Target {
  const { batchId, firstArrivalMs: arrivalMs } = batch
  const { errorOutputPrefix } = s3Prefixes(configuration, DELIVERY_PREFIX_RULES)
  const { errorOutputType } = policy
  const { timeZone } = DELIVERY_PREFIX_RULES
  const name = nameObjects(stream, { configuration, outputIndex: OUTPUT_INDEX, timeZone })
  return name(
    batch,
    errorOutputPrefix({ batchId, outputIndex: OUTPUT_INDEX, arrivalMs, errorOutputType }),
  )
}

async function* errorLines({
  batch,
  policy,
  manifest,
  chunks,
}: ErrorOutputJob): AsyncGenerator<string> {
  const refused = refusedRecords(manifest.outputs)
  for await (const chunk of chunks) {
    for (const [ordinal, data] of ordinalsOf(chunk)) {
      const record = refused.get(ordinal)
      if (record === undefined) continue
      const members = policy.errorMembers(ordinal, record.output, batch)
      yield errorLine(record.refusal, chunk.arrivalMs, members, data)
    }
  }
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
