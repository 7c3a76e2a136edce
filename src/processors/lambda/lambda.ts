/**
 * A function transforms the records (facts: Processing). They go to it in invocations
 * (lambda-invocation.ts), some at once (lambda-caller.ts), each of which brings a verdict on every
 * record (lambda-answer.ts); they are handed on in the order they came in. What fails goes to the error
 * output `processing-failed`, and the batch goes on without it.
 */
import { strict as assert } from 'node:assert'
import { NO_PARTITION_KEYS } from '../../partition.ts'
import type { ProcessingJob, ProcessingRecord, Processor, Records } from '../../processor.ts'
import { inOrder } from './in-order.ts'
import type { Transformed } from './lambda-answer.ts'
import { Caller } from './lambda-caller.ts'
import type { CallerOptions, Outcome } from './lambda-caller.ts'
import { gatherInvocations } from './lambda-invocation.ts'

export interface LambdaOptions extends CallerOptions {
  /** How much data goes to the function at once; a record that is larger goes by itself. */
  readonly bufferBytes: number
}

/** Of one batch, as of one shard in AWS. */
const OUTSTANDING_MAX = 5

export function lambda(options: LambdaOptions): Processor {
  return { process: (records, job) => transform(records, job, options) }
}

async function* transform(records: Records, job: ProcessingJob, options: LambdaOptions): Records {
  const caller = new Caller(options, job)
  try {
    const invocations = gatherInvocations(records, job, options.bufferBytes)
    const outcomes = inOrder(invocations, OUTSTANDING_MAX, job.signal, (invocation, signal) =>
      caller.call(invocation, signal),
    )
    for await (const outcome of outcomes) {
      const transformed = settle(outcome, job, options.arn)
      if (transformed.length > 0) yield transformed
      outcome.invocation.release()
    }
  } finally {
    await caller.release()
  }
}

/** Fails and drops what is to be failed and dropped; returns the rest, transformed. */
function settle(
  { invocation, verdicts, attemptsMade, atMs }: Outcome,
  job: ProcessingJob,
  lambdaARN: string,
): readonly ProcessingRecord[] {
  const transformed: ProcessingRecord[] = []
  for (const [index, record] of invocation.records.entries()) {
    const verdict = verdicts[index]
    assert(verdict !== undefined, 'There is a verdict on each record')
    if (verdict.kind === 'ok') {
      transformed.push(transformedRecord(record, verdict))
    } else if (verdict.kind === 'dropped') {
      job.drop(record)
    } else {
      const { errorCode, errorMessage } = verdict
      const errorOutputType = 'processing-failed'
      const members = { lambdaARN }
      job.fail(record, { errorOutputType, errorCode, errorMessage, attemptsMade, atMs, members })
    }
  }
  return transformed
}

function transformedRecord(
  record: ProcessingRecord,
  { data, partitionKeys }: Transformed,
): ProcessingRecord {
  if (partitionKeys === undefined) return { ...record, data }
  const { query } = record.keys ?? NO_PARTITION_KEYS
  return { ...record, data, keys: { query, lambda: partitionKeys } }
}
