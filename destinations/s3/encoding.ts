import { strict as assert } from 'node:assert'
import type { EncodedOutput, EncodeJob } from '../../src/destination.ts'
import { ObjectEncoder } from '../../src/objects/object-encoder.ts'
import { outputUuid } from '../../src/objects/object-key.ts'
import type { OutputPlan, S3Target } from './plan.ts'

/** All outputs of a batch in one pass over its chunks. A batch that lost all its records has none. */
export async function encodeObjects(
  job: EncodeJob,
  plans: readonly OutputPlan[],
): Promise<readonly EncodedOutput[]> {
  const targets =
    job.frozen?.outputs.map(({ target }) => target as S3Target) ??
    plans.map((plan) => plan.target(job.batch))
  const encodings = targets.map((target, index) => {
    const plan = plans[index]
    assert(plan !== undefined, 'a frozen batch has the outputs of its stream version')
    const encoder = new ObjectEncoder({
      compressionFormat: plan.configuration.CompressionFormat,
      entryName: outputUuid(job.batch.batchId, index),
      delimiter: plan.delimiter,
      spool: job.openSpool(),
    })
    return { plan, target, encoder }
  })
  for await (const chunk of job.chunks) {
    await Promise.all(encodings.map(({ encoder }) => encoder.add(chunk)))
  }
  const outputs = await Promise.all(
    encodings.map(async ({ plan, target, encoder }): Promise<EncodedOutput> => {
      const content = await encoder.finish()
      const { kind, accounting } = plan
      return { kind, target, accounting, recordCount: encoder.recordCount, content }
    }),
  )
  const isLost = outputs.every(({ recordCount }) => recordCount === 0)
  if (job.frozen !== undefined || !isLost) return outputs
  await Promise.all(outputs.map(({ content }) => content.dispose()))
  return []
}
