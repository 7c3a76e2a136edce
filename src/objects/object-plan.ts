/**
 * Which objects a batch comes to, one plan for each or, with dynamic partitioning, for many, and what
 * they are called: names come from the batch alone, so that a repeat of it comes to the same ones.
 */
import type { JsonObject } from '../base/json.ts'
import type { BatchId } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { EncodedOutput } from '../destination.ts'
import { COMPRESSION_FORMATS } from '../formats/compression.ts'
import type { Accounting } from '../manifest.ts'
import type { PartitionKeys } from '../partition.ts'
import { compileKeyTime, objectKey, outputUuid } from './object-key.ts'
import type { Prefix, PrefixSubject } from './prefix-expression.ts'
import type { PrefixRules, S3Configuration } from './s3-configuration.ts'
import { bucketOf, s3Prefixes } from './s3-configuration.ts'

/** Where an object goes, as the manifest keeps it. */
export type S3Target = {
  readonly bucket: string
  readonly key: string
}

/** The batch, or a partition of it, that an object is named after. */
export interface ObjectSubject {
  readonly batchId: BatchId
  /** Arrival of the oldest record. */
  readonly firstArrivalMs: number
  /** Absent: the plan's. */
  readonly outputIndex?: number
  /** Present with dynamic partitioning. */
  readonly partitionKeys?: PartitionKeys
}

export interface ObjectPlan {
  /** Unlike that of the batch's other outputs. */
  readonly kind: string
  /** Its place among the batch's outputs. */
  readonly outputIndex: number
  readonly accounting: Accounting
  /** What it is made of: the records as they were accepted (a backup), or as processors left them. */
  readonly records: 'accepted' | 'processed'
  readonly configuration: S3Configuration
  /** Goes between two records. */
  readonly delimiter: Buffer | undefined
  /** Present: the object is a Parquet file, by this DataFormatConversionConfiguration. */
  readonly conversion?: JsonObject
  /** The same for the same subject, always. */
  target(subject: ObjectSubject): S3Target
}

export interface ObjectPlanOptions extends Omit<ObjectPlan, 'target' | 'delimiter'> {
  readonly delimiter?: Buffer | undefined
  readonly prefixRules: PrefixRules
  /** Replaces the format's own, unless it is empty. */
  readonly fileExtension?: string
}

const PARQUET_EXTENSION = '.parquet'

export function planObject(stream: DeliveryStream, options: ObjectPlanOptions): ObjectPlan {
  const { prefixRules, fileExtension, delimiter, ...plan } = options
  const { configuration, outputIndex: ownIndex, conversion } = options
  const { prefix } = s3Prefixes(configuration, prefixRules)
  const name = nameObjects(stream, prefix, {
    configuration,
    timeZone: prefixRules.timeZone,
    fileExtension: fileExtension || (conversion && PARQUET_EXTENSION),
  })
  return {
    ...plan,
    delimiter,
    target: ({ batchId, firstArrivalMs: arrivalMs, outputIndex = ownIndex, partitionKeys }) =>
      name({ batchId, outputIndex, arrivalMs, ...(partitionKeys && { partitionKeys }) }),
  }
}

/** How the bytes of the plan's objects are to be read. */
export function contentFormat({
  configuration,
  conversion,
}: ObjectPlan): Pick<EncodedOutput, 'contentFormat'> {
  if (conversion !== undefined) return { contentFormat: 'PARQUET' }
  return compressedContent(configuration)
}

export function compressedContent({
  CompressionFormat: contentFormat,
}: S3Configuration): Pick<EncodedOutput, 'contentFormat'> {
  return contentFormat === 'UNCOMPRESSED' ? {} : { contentFormat }
}

export interface ObjectNaming {
  readonly configuration: S3Configuration
  readonly timeZone: string
  /** Replaces the compression format's own. */
  readonly fileExtension?: string | undefined
}

/** Names the objects of a stream. */
export function nameObjects(
  { name: streamName, versionId }: DeliveryStream,
  prefix: Prefix,
  { configuration, timeZone, fileExtension: givenExtension }: ObjectNaming,
): (subject: PrefixSubject) => S3Target {
  const keyTime = compileKeyTime(timeZone)
  const bucket = bucketOf(configuration)
  const fileExtension =
    givenExtension ?? COMPRESSION_FORMATS[configuration.CompressionFormat].fileExtension
  return (subject) => {
    const { batchId, outputIndex, arrivalMs } = subject
    const uuid = outputUuid(batchId, outputIndex)
    const suffix = { streamName, versionId, arrivalMs, keyTime, uuid, fileExtension }
    return { bucket, key: objectKey({ prefix: prefix(subject), ...suffix }) }
  }
}
