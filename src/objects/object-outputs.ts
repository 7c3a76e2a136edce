/** A batch as objects: what the S3 destination is made of, and the backup and staging of the others. */
import { strict as assert } from 'node:assert'
import type { StoredChunk } from '../batch-store.ts'
import type { DeliverJob, EncodedOutput, EncodeJob } from '../destination.ts'
import { COMPRESSION_FORMATS } from '../formats/compression.ts'
import type { FrozenOutput } from '../manifest.ts'
import type { ObjectStore } from '../object-store.ts'
import { contentFormat } from './object-plan.ts'
import type { ObjectPlan, S3Target } from './object-plan.ts'
import { encodePartitions } from './partition-objects.ts'
import { openRecordEncoder } from './record-encoder.ts'
import type { RecordEncoder } from './record-encoder.ts'
import type { S3Configuration } from './s3-configuration.ts'

/** Whatever the format: AWS labels all objects like this. */
const CONTENT_TYPE = 'application/octet-stream'

/**
 * The objects of a batch: those of its records as they are delivered, then the backups, each in the
 * order of their plans. One that would have no records is left out, unless it is frozen. The job's
 * chunks are read to their end, also where there is no plan, unless they are partitioned.
 */
export async function encodeObjects(
  job: EncodeJob,
  plans: readonly ObjectPlan[],
): Promise<readonly EncodedOutput[]> {
  const { processed, chunks } = job
  if (processed === undefined) return encodeInOnePass(job, plans, chunks)
  const backups = plans.filter(({ records }) => records === 'accepted')
  const others = plans.filter(({ records }) => records === 'processed')
  const objects =
    processed.partitions === undefined
      ? await encodeInOnePass(job, others, chunks)
      : await encodePartitions(job, others, processed.partitions)
  if (backups.length === 0) return objects
  return [...objects, ...(await encodeInOnePass(job, backups, processed.originals))]
}

async function encodeInOnePass(
  job: EncodeJob,
  plans: readonly ObjectPlan[],
  chunks: AsyncIterable<StoredChunk>,
): Promise<readonly EncodedOutput[]> {
  const encodings = plans.map((plan) => new ObjectEncoding(job, plan))
  for await (const chunk of chunks) {
    await Promise.all(encodings.map((encoding) => encoding.add(chunk)))
  }
  const outputs = await Promise.all(encodings.map((encoding) => encoding.finish()))
  return outputs.filter((output) => output !== undefined)
}

/** Begins with the first chunk, so that an object without records costs nothing. */
class ObjectEncoding {
  readonly #job: EncodeJob
  readonly #plan: ObjectPlan
  readonly #frozen: FrozenOutput | undefined
  #encoder: RecordEncoder | undefined
  #ordinalEnd = 0

  constructor(job: EncodeJob, plan: ObjectPlan) {
    this.#job = job
    this.#plan = plan
    this.#frozen = job.frozen?.outputs.find(({ kind }) => kind === plan.kind)
  }

  async add(chunk: StoredChunk): Promise<void> {
    this.#ordinalEnd = chunk.firstOrdinal + chunk.recordCount
    await this.#begun().add(chunk)
  }

  /** Undefined when there is no such object. */
  async finish(): Promise<EncodedOutput | undefined> {
    if (this.#encoder === undefined && this.#frozen === undefined) return undefined
    const { batch, processed, frozen } = this.#job
    assert(
      frozen === undefined || this.#frozen !== undefined,
      'a frozen batch has no more outputs than it had',
    )
    const encoder = this.#begun()
    const content = await encoder.finish()
    const { kind, accounting, records } = this.#plan
    const isBackup = processed !== undefined && records === 'accepted'
    const range = this.#frozen?.range ?? { from: 0, to: this.#ordinalEnd }
    return {
      kind,
      target: this.#frozen?.target ?? this.#plan.target(batch),
      accounting,
      recordCount: encoder.recordCount,
      // Its ordinals are those of the accepted records, and not of the batch as it is delivered.
      ...(isBackup && { range }),
      content,
      ...contentFormat(this.#plan),
    }
  }

  #begun(): RecordEncoder {
    this.#encoder ??= openRecordEncoder(this.#job, this.#plan, this.#job.openSpool())
    return this.#encoder
  }
}

/**
 * One attempt at writing an object.
 * @throws DeliveryError
 */
export async function putObject(
  objectStore: ObjectStore,
  configuration: S3Configuration,
  { output, formerSha256s, signal }: Pick<DeliverJob, 'output' | 'formerSha256s' | 'signal'>,
): Promise<void> {
  const { CompressionFormat, EncryptionConfiguration } = configuration
  const { contentEncoding } = COMPRESSION_FORMATS[CompressionFormat]
  const kmsKeyArn = EncryptionConfiguration.KMSEncryptionConfig?.AWSKMSKeyARN
  const { bucket, key } = output.target as S3Target
  assert(output.content !== undefined, 'an object has content')
  await objectStore.put(
    {
      bucket,
      key,
      content: output.content,
      contentType: CONTENT_TYPE,
      ...(contentEncoding !== undefined && { contentEncoding }),
      ...(kmsKeyArn !== undefined && { kmsKeyArn }),
      formerSha256s,
    },
    signal,
  )
}
