/**
 * What a batch of a stream comes to: one object with all its records, or with dynamic partitioning one
 * for each partition, and with S3BackupMode another with the records as they were sent.
 */
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { planObject } from '../../src/objects/object-plan.ts'
import type { ObjectPlan } from '../../src/objects/object-plan.ts'
import { partitionRules } from '../../src/objects/partition-rules.ts'
import type { PartitionRules } from '../../src/partition.ts'
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'
import { processingPlan } from '../../src/processors/processing-plan.ts'
import type { ExtendedS3Configuration } from './configuration.ts'
import { BACKUP_PREFIX_RULES, prefixRules } from './configuration.ts'

/** The outputs of each batch of this version of the stream, in order. */
export function planOutputs(stream: DeliveryStream): readonly ObjectPlan[] {
  const main = planMain(stream)
  const { S3BackupMode, S3BackupConfiguration } = stream.destination as ExtendedS3Configuration
  if (S3BackupMode === 'Disabled' || S3BackupConfiguration === undefined) return [main]
  const backup = planObject(stream, {
    kind: 's3-backup',
    outputIndex: 1,
    accounting: 'copy',
    records: 'accepted',
    configuration: S3BackupConfiguration,
    prefixRules: BACKUP_PREFIX_RULES,
  })
  return [main, backup]
}

/**
 * @param main the first of the stream's plans
 * @returns undefined where dynamic partitioning is off
 */
export function planPartitioning(
  stream: DeliveryStream,
  main: ObjectPlan,
  takesKey: (key: string) => boolean,
): PartitionRules | undefined {
  if (processingPlan(stream.destination)?.partitioned !== true) return undefined
  const rules = prefixRules(stream.destination as ExtendedS3Configuration)
  return partitionRules(main, rules, takesKey)
}

function planMain(stream: DeliveryStream): ObjectPlan {
  const configuration = stream.destination as ExtendedS3Configuration
  const { FileExtension, ProcessingConfiguration } = configuration
  const conversion = processingPlan(configuration)?.conversion
  return planObject(stream, {
    kind: 's3',
    outputIndex: 0,
    accounting: 'delivered',
    records: 'processed',
    configuration,
    delimiter: recordDelimiter(ProcessingConfiguration),
    prefixRules: prefixRules(configuration),
    ...(FileExtension !== undefined && { fileExtension: FileExtension }),
    ...(conversion !== undefined && { conversion }),
  })
}
