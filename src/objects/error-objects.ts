/**
 * Error outputs as objects (facts: error outputs): a line of JSON for each record, named by the S3
 * configuration's ErrorOutputPrefix with the usual suffix. A batch has at most one of what its
 * destination refused, and one for each type of what its processors failed.
 */
import type { EncodedOutput } from '../destination.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { ErrorOutput, ErrorOutputJob, ProcessingErrorsJob } from '../error-output.ts'
import { openCompressor } from '../formats/compression.ts'
import type { ObjectStore } from '../object-store.ts'
import type { ErrorOutputType } from '../processor.ts'
import { errorConfiguration, nameErrorObject } from './error-object-names.ts'
import { outputUuid } from './object-key.ts'
import { putObject } from './object-outputs.ts'
import { compressedContent } from './object-plan.ts'
import { refusedLines } from './refused-lines.ts'

/** Beyond the indexes of a destination's outputs that are not partitions. */
const OUTPUT_INDEX = 1_000_000
/** Never changed: names depend on them. */
const PROCESSING_OUTPUT_INDEXES: Readonly<Record<ErrorOutputType, number>> = {
  'processing-failed': 1_000_001,
  'decompression-failed': 1_000_002,
  'format-conversion-failed': 1_000_003,
  activePartitionExceeded: 1_000_004,
}

type ObjectJob = Pick<ErrorOutputJob, 'batch' | 'stream' | 'openSpool'>

export class ErrorObjects implements ErrorOutput {
  readonly #objectStore: ObjectStore

  constructor(objectStore: ObjectStore) {
    this.#objectStore = objectStore
  }

  async encode(job: ErrorOutputJob): Promise<EncodedOutput> {
    const { errorOutputType } = job.policy
    let recordCount = 0
    const content = await encodeLines(
      job,
      OUTPUT_INDEX,
      refusedLines(job, () => {
        recordCount += 1
      }),
    )
    const target = nameErrorObject(job, errorOutputType, OUTPUT_INDEX)
    return { kind: ERROR_OUTPUT_KIND, target, accounting: 'errored', recordCount, content }
  }

  async encodeProcessingErrors(job: ProcessingErrorsJob): Promise<EncodedOutput> {
    const { errorOutputType, recordCount, lines, frozen } = job
    const outputIndex = PROCESSING_OUTPUT_INDEXES[errorOutputType]
    return {
      kind: errorOutputType,
      target: frozen?.target ?? nameErrorObject(job, errorOutputType, outputIndex),
      accounting: 'errored',
      recordCount,
      range: { from: 0, to: recordCount },
      content: await encodeLines(job, outputIndex, lines),
      ...compressedContent(errorConfiguration(job.stream)),
    }
  }

  async deliver({ stream, ...job }: Parameters<ErrorOutput['deliver']>[0]): Promise<void> {
    await putObject(this.#objectStore, errorConfiguration(stream), job)
  }
}

async function encodeLines(
  { batch, stream, openSpool }: ObjectJob,
  outputIndex: number,
  blocks: AsyncIterable<Buffer>,
) {
  const { CompressionFormat } = errorConfiguration(stream)
  const spool = openSpool()
  const compressor = openCompressor(
    CompressionFormat,
    { entryName: outputUuid(batch.batchId, outputIndex) },
    (bytes) => spool.write(bytes),
  )
  for await (const block of blocks) await compressor.write(block)
  await compressor.finish()
  return spool.finish()
}
