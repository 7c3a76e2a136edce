/**
 * A batch as objects: what the S3 destination is made of, and the backup and staging of the others.
 * One plan for each object of a batch; names come from the batch alone, so that a repeat of a batch
 * comes to the same ones.
 */
import { strict as assert } from 'node:assert'
import type { SealedBatch } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { DeliverJob, EncodedOutput, EncodeJob } from '../destination.ts'
import { COMPRESSION_FORMATS } from '../formats/compression.ts'
import type { Accounting } from '../manifest.ts'
import type { ObjectStore } from '../object-store.ts'
import { ObjectEncoder } from './object-encoder.ts'
import { compileKeyTime, objectKey, outputUuid } from './object-key.ts'
import type { PrefixRules, S3Configuration } from './s3-configuration.ts'
import { bucketOf, s3Prefixes } from './s3-configuration.ts'

/** Whatever the compression: AWS labels all objects like this. */
const CONTENT_TYPE = 'application/octet-stream'

/** Where an object goes, as the manifest keeps it. */
export type S3Target = {
  readonly bucket: string
  readonly key: string
}

export interface ObjectPlan {
  /** Unlike that of the batch's other outputs. */
  readonly kind: string
  /** Its place among the batch's outputs. */
  readonly outputIndex: number
  readonly accounting: Accounting
  readonly configuration: S3Configuration
  /** Goes between two records. */
  readonly delimiter: Buffer | undefined
  /** The same for the same batch, always. */
  target(batch: SealedBatch): S3Target
}

export interface ObjectPlanOptions extends Omit<ObjectPlan, 'target' | 'delimiter'> {
  readonly delimiter?: Buffer | undefined
  readonly prefixRules: PrefixRules
  /** Replaces the compression format's own, unless it is empty. */
  readonly fileExtension?: string
}

export function planObject(stream: DeliveryStream, options: ObjectPlanOptions): ObjectPlan {
  const { kind, outputIndex, accounting, configuration, delimiter, prefixRules } = options
  const { prefix } = s3Prefixes(configuration, prefixRules)
  const { timeZone } = prefixRules
  const { fileExtension } = options
  const name = nameObjects(stream, { configuration, outputIndex, timeZone, fileExtension })
  return {
    kind,
    outputIndex,
    accounting,
    configuration,
    delimiter,
    target: (batch) =>
      name(batch, prefix({ batchId: batch.batchId, outputIndex, arrivalMs: batch.firstArrivalMs })),
  }
}

export interface ObjectNaming {
  readonly configuration: S3Configuration
  readonly outputIndex: number
  readonly timeZone: string
  /** Replaces the compression format's own, unless it is empty. */
  readonly fileExtension?: string | undefined
}

/** Names one object of each batch of a stream, under a prefix that is evaluated already. */
export function nameObjects(
  { name: streamName, versionId }: DeliveryStream,
  { configuration, outputIndex, timeZone, fileExtension: givenExtension }: ObjectNaming,
): (batch: SealedBatch, prefix: string) => S3Target {
  const keyTime = compileKeyTime(timeZone)
  const bucket = bucketOf(configuration)
  const fileExtension =
    givenExtension || COMPRESSION_FORMATS[configuration.CompressionFormat].fileExtension
  return ({ batchId, firstArrivalMs: arrivalMs }, prefix) => {
    const uuid = outputUuid(batchId, outputIndex)
    const suffix = { streamName, versionId, arrivalMs, keyTime, uuid, fileExtension }
    return { bucket, key: objectKey({ prefix, ...suffix }) }
  }
}

/** All objects of a batch in one pass over its chunks. */
export async function encodeObjects(
  job: EncodeJob,
  plans: readonly ObjectPlan[],
): Promise<readonly EncodedOutput[]> {
  const encodings = plans.map((plan) => {
    const frozen = job.frozen?.outputs.find(({ kind }) => kind === plan.kind)
    assert(job.frozen === undefined || frozen !== undefined, 'a frozen batch keeps its outputs')
    const encoder = new ObjectEncoder({
      compressionFormat: plan.configuration.CompressionFormat,
      entryName: outputUuid(job.batch.batchId, plan.outputIndex),
      delimiter: plan.delimiter,
      spool: job.openSpool(),
    })
    return { plan, target: frozen?.target ?? plan.target(job.batch), encoder }
  })
  for await (const chunk of job.chunks) {
    await Promise.all(encodings.map(({ encoder }) => encoder.add(chunk)))
  }
  return Promise.all(
    encodings.map(async ({ plan, target, encoder }): Promise<EncodedOutput> => {
      const content = await encoder.finish()
      const { kind, accounting } = plan
      return { kind, target, accounting, recordCount: encoder.recordCount, content }
    }),
  )
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
