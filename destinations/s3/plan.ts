/**
 * What a batch of a stream comes to: one object with all its records, and with S3BackupMode a second
 * one with the records as they were sent.
 */
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { planObject } from '../../src/objects/object-outputs.ts'
import type { ObjectPlan } from '../../src/objects/object-outputs.ts'
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'
import type { ExtendedS3Configuration } from './configuration.ts'
import { BACKUP_PREFIX_RULES, prefixRules } from './configuration.ts'

/** The outputs of each batch of this version of the stream, in order. */
export function planOutputs(stream: DeliveryStream): readonly ObjectPlan[] {
  const configuration = stream.destination as ExtendedS3Configuration
  const { FileExtension, ProcessingConfiguration, S3BackupConfiguration } = configuration
  const main = planObject(stream, {
    kind: 's3',
    outputIndex: 0,
    accounting: 'delivered',
    configuration,
    delimiter: recordDelimiter(ProcessingConfiguration),
    prefixRules: prefixRules(configuration),
    ...(FileExtension !== undefined && { fileExtension: FileExtension }),
  })
  if (configuration.S3BackupMode === 'Disabled' || S3BackupConfiguration === undefined)
    return [main]
  const backup = planObject(stream, {
    kind: 's3-backup',
    outputIndex: 1,
    accounting: 'copy',
    configuration: S3BackupConfiguration,
    prefixRules: BACKUP_PREFIX_RULES,
  })
  return [main, backup]
}
