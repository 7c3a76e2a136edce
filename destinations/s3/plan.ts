/**
 * What a batch of a stream comes to: one object with all its records, and with S3BackupMode a second
 * one with the records as they were sent.
 */
import type { SealedBatch } from '../../src/batch.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { COMPRESSION_FORMATS } from '../../src/formats/compression.ts'
import type { Accounting } from '../../src/manifest.ts'
import { compileKeyTime, objectKey, outputUuid } from '../../src/objects/object-key.ts'
import type { PrefixRules, S3Configuration } from '../../src/objects/s3-configuration.ts'
import { bucketOf, s3Prefixes } from '../../src/objects/s3-configuration.ts'
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'
import type { ExtendedS3Configuration } from './configuration.ts'
import { BACKUP_PREFIX_RULES, prefixRules } from './configuration.ts'

/** Where an output goes, as the manifest keeps it. */
export type S3Target = {
  readonly bucket: string
  readonly key: string
}

export interface OutputPlan {
  readonly kind: 's3' | 's3-backup'
  readonly accounting: Accounting
  readonly configuration: S3Configuration
  /** Goes between two records. */
  readonly delimiter: Buffer | undefined
  /** The same for the same batch, always. */
  target(batch: SealedBatch): S3Target
}

/** The outputs of each batch of this version of the stream, in order. */
export function planOutputs(stream: DeliveryStream): readonly OutputPlan[] {
  const configuration = stream.destination as ExtendedS3Configuration
  const { FileExtension, ProcessingConfiguration, S3BackupConfiguration } = configuration
  const main: OutputPlan = {
    kind: 's3',
    accounting: 'delivered',
    configuration,
    delimiter: recordDelimiter(ProcessingConfiguration),
    target: targetsOf(stream, 0, configuration, prefixRules(configuration), FileExtension),
  }
  if (configuration.S3BackupMode === 'Disabled' || S3BackupConfiguration === undefined)
    return [main]
  const backup: OutputPlan = {
    kind: 's3-backup',
    accounting: 'copy',
    configuration: S3BackupConfiguration,
    delimiter: undefined,
    target: targetsOf(stream, 1, S3BackupConfiguration, BACKUP_PREFIX_RULES),
  }
  return [main, backup]
}

function targetsOf(
  { name: streamName, versionId }: DeliveryStream,
  outputIndex: number,
  configuration: S3Configuration,
  rules: PrefixRules,
  givenExtension = '',
): OutputPlan['target'] {
  const { prefix } = s3Prefixes(configuration, rules)
  const keyTime = compileKeyTime(rules.timeZone)
  const bucket = bucketOf(configuration)
  const fileExtension =
    givenExtension || COMPRESSION_FORMATS[configuration.CompressionFormat].fileExtension
  return ({ batchId, firstArrivalMs: arrivalMs }) => ({
    bucket,
    key: objectKey({
      prefix: prefix({ batchId, outputIndex, arrivalMs }),
      streamName,
      versionId,
      arrivalMs,
      keyTime,
      uuid: outputUuid(batchId, outputIndex),
      fileExtension,
    }),
  })
}
