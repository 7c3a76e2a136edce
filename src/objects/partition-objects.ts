import { strict as assert } from 'node:assert'
import type { EncodedOutput, EncodeJob, Partition } from '../destination.ts'
import { contentFormat } from './object-plan.ts'
import type { ObjectPlan } from './object-plan.ts'
import { openRecordEncoder } from './record-encoder.ts'
import { SharedSpool } from './shared-spool.ts'

/** Beyond the indexes of all other outputs of a batch, however many partitions there are. */
const FIRST_OUTPUT_INDEX = 2_000_000

/**
 * An object for each partition of a batch, with dynamic partitioning: one after the other into one
 * spool, so that ten thousand of them take the memory and the files of one.
 */
export async function encodePartitions(
  job: EncodeJob,
  plans: readonly ObjectPlan[],
  partitions: readonly Partition[],
): Promise<readonly EncodedOutput[]> {
  const [plan, ...others] = plans
  assert(plan !== undefined && others.length === 0, 'a batch is partitioned by one plan')
  if (partitions.length === 0) return []
  const { kind, accounting } = plan
  const frozen = job.frozen?.outputs.filter((output) => output.kind === kind)
  assert(
    frozen === undefined || frozen.length === partitions.length,
    'a frozen batch keeps its partitions',
  )
  const spool = new SharedSpool(job.openSpool())
  const outputs: EncodedOutput[] = []
  for (const [index, partition] of partitions.entries()) {
    const { keys: partitionKeys, range, firstArrivalMs } = partition
    const outputIndex = FIRST_OUTPUT_INDEX + index
    const encoder = openRecordEncoder(job, { ...plan, outputIndex }, spool.next())
    for await (const chunk of partition.chunks()) await encoder.add(chunk)
    const subject = { batchId: job.batch.batchId, firstArrivalMs, outputIndex, partitionKeys }
    outputs.push({
      kind,
      target: frozen?.[index]?.target ?? plan.target(subject),
      accounting,
      content: await encoder.finish(),
      ...contentFormat(plan),
      recordCount: encoder.recordCount,
      range,
    })
  }
  await spool.finish()
  return outputs
}
