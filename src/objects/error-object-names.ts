/** Where a stream's error objects go, and in what form: by the same S3 configuration for all of them. */
import type { SealedBatch } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { S3Target } from './object-plan.ts'
import { nameObjects } from './object-plan.ts'
import type { S3Configuration } from './s3-configuration.ts'
import { s3Prefixes } from './s3-configuration.ts'

/** The members of stored destinations that error objects depend on. */
interface ErrorMembers {
  /** Of all destinations but S3, whose own members are its S3 configuration. */
  readonly S3Configuration?: S3Configuration
  readonly CustomTimeZone?: string
  readonly DynamicPartitioningConfiguration?: { readonly Enabled: boolean }
}

export function errorConfiguration({ destination }: DeliveryStream): S3Configuration {
  const { S3Configuration } = destination as ErrorMembers
  return S3Configuration ?? (destination as unknown as S3Configuration)
}

export function nameErrorObject(
  { batch, stream }: { readonly batch: SealedBatch; readonly stream: DeliveryStream },
  errorOutputType: string,
  outputIndex: number,
): S3Target {
  const { CustomTimeZone, DynamicPartitioningConfiguration } = stream.destination as ErrorMembers
  const configuration = errorConfiguration(stream)
  const timeZone = CustomTimeZone || 'UTC'
  const dynamicPartitioning = DynamicPartitioningConfiguration?.Enabled === true
  const { errorOutputPrefix } = s3Prefixes(configuration, { timeZone, dynamicPartitioning })
  const name = nameObjects(stream, errorOutputPrefix, { configuration, timeZone })
  const { batchId, firstArrivalMs: arrivalMs } = batch
  return name({ batchId, outputIndex, arrivalMs, errorOutputType })
}
