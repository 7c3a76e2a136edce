/** The source blocks of Terraform's resource, `kinesis_source_configuration` and `msk_source_configuration`. */
import type { Json, JsonObject } from '../../src/base/json.ts'

/** What CreateDeliveryStream is told of a source; no block: records are put. */
export function sourceInput({
  kinesis_source_configuration: kinesis,
  msk_source_configuration: msk,
}: JsonObject): JsonObject {
  if (kinesis !== undefined) {
    const { kinesis_stream_arn, role_arn } = kinesis as JsonObject
    return {
      DeliveryStreamType: 'KinesisStreamAsSource',
      KinesisStreamSourceConfiguration: { KinesisStreamARN: kinesis_stream_arn, RoleARN: role_arn },
    }
  }
  if (msk === undefined) return { DeliveryStreamType: 'DirectPut' }
  const { authentication_configuration, msk_cluster_arn, topic_name } = msk as JsonObject
  const { connectivity, role_arn } = authentication_configuration as JsonObject
  return {
    DeliveryStreamType: 'MSKAsSource',
    MSKSourceConfiguration: {
      MSKClusterARN: msk_cluster_arn,
      TopicName: topic_name,
      AuthenticationConfiguration: { Connectivity: connectivity, RoleARN: role_arn },
    },
  }
}

/**
 * The blocks that the provider makes of `Source`. `read_from_timestamp` is among them where it is told:
 * the provider holds that against a configuration without it.
 */
export function sourceBlocks(source: Json | undefined): JsonObject {
  const { KinesisStreamSourceDescription: kinesis, MSKSourceDescription: msk } = (source ??
    {}) as JsonObject
  if (kinesis !== undefined) {
    const { KinesisStreamARN, RoleARN } = kinesis as JsonObject
    return {
      kinesis_source_configuration: { kinesis_stream_arn: KinesisStreamARN, role_arn: RoleARN },
    }
  }
  if (msk === undefined) return {}
  const { MSKClusterARN, TopicName, AuthenticationConfiguration, ReadFromTimestamp } =
    msk as JsonObject
  const { Connectivity, RoleARN } = AuthenticationConfiguration as JsonObject
  return {
    msk_source_configuration: {
      msk_cluster_arn: MSKClusterARN,
      topic_name: TopicName,
      authentication_configuration: { connectivity: Connectivity, role_arn: RoleARN },
      ...(ReadFromTimestamp === undefined ? {} : { read_from_timestamp: ReadFromTimestamp }),
    },
  }
}
