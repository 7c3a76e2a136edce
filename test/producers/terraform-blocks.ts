/** Destination blocks of Terraform's resource. Attributes have the provider's names and defaults. */
import type { JsonObject } from '../../src/base/json.ts'
import type { DestinationBlock } from './terraform.ts'

const S3_DEFAULTS = {
  prefix: '',
  error_output_prefix: '',
  buffering_size: 5,
  buffering_interval: 300,
  compression_format: 'UNCOMPRESSED',
  cloudwatch_logging: false,
}

/** The attributes of an `extended_s3_configuration` that are not given have their defaults. */
export function extendedS3(given: JsonObject): JsonObject {
  return {
    ...S3_DEFAULTS,
    custom_time_zone: 'UTC',
    file_extension: '',
    processors: [],
    partitioning_retry_duration: null,
    s3_backup_mode: 'Disabled',
    s3_backup_configuration: null,
    ...given,
  }
}

/** An `s3_configuration`, `s3_backup_configuration` or the like. */
export function s3(given: JsonObject): JsonObject {
  return { ...S3_DEFAULTS, ...given }
}

export function splunk(given: JsonObject): JsonObject {
  return {
    buffering_size: 5,
    buffering_interval: 60,
    hec_acknowledgment_timeout: 180,
    hec_endpoint_type: 'Raw',
    hec_token: '',
    retry_duration: 3600,
    s3_backup_mode: 'FailedEventsOnly',
    ...given,
  }
}

export function httpEndpoint(given: JsonObject): JsonObject {
  return {
    access_key: '',
    buffering_size: 5,
    buffering_interval: 300,
    retry_duration: 300,
    s3_backup_mode: 'FailedDataOnly',
    content_encoding: 'NONE',
    ...given,
  }
}

export const extendedS3Block: DestinationBlock = {
  create: (attributes) => ({
    ExtendedS3DestinationConfiguration: {
      ...extendedS3Members(attributes),
      S3BackupConfiguration: backupMembers(attributes, createdS3Members),
      ...errorOutputPrefix(attributes),
    },
  }),
  update: (attributes) => ({
    ExtendedS3DestinationUpdate: {
      ...extendedS3Members(attributes),
      S3BackupUpdate: backupMembers(attributes, s3Members),
      ErrorOutputPrefix: attributes['error_output_prefix'],
    },
  }),
  read(destination) {
    const found = destination['ExtendedS3DestinationDescription'] as JsonObject
    const { RetryOptions } = (found['DynamicPartitioningConfiguration'] ?? {}) as JsonObject
    const backup = found['S3BackupDescription'] as JsonObject | undefined
    return {
      ...readS3(found),
      custom_time_zone: found['CustomTimeZone'] ?? '',
      file_extension: found['FileExtension'] ?? '',
      processors: readProcessors(found),
      partitioning_retry_duration: seconds(RetryOptions) ?? null,
      s3_backup_mode: found['S3BackupMode'],
      s3_backup_configuration: backup === undefined ? null : readS3(backup),
    }
  },
}

export const splunkBlock: DestinationBlock = {
  create: (attributes) => ({
    SplunkDestinationConfiguration: {
      ...splunkMembers(attributes),
      S3Configuration: createdS3Members(attributes['s3_configuration'] as JsonObject),
    },
  }),
  update: (attributes) => ({
    SplunkDestinationUpdate: {
      ...splunkMembers(attributes),
      S3Update: s3Members(attributes['s3_configuration'] as JsonObject),
    },
  }),
  read(destination) {
    const found = destination['SplunkDestinationDescription'] as JsonObject
    return {
      ...readBuffering(found),
      hec_acknowledgment_timeout: found['HECAcknowledgmentTimeoutInSeconds'],
      hec_endpoint: found['HECEndpoint'],
      hec_endpoint_type: found['HECEndpointType'],
      hec_token: found['HECToken'] ?? '',
      retry_duration: seconds(found['RetryOptions']),
      s3_backup_mode: found['S3BackupMode'],
      s3_configuration: readS3(found['S3DestinationDescription'] as JsonObject),
    }
  },
}

export const httpEndpointBlock: DestinationBlock = {
  create: (attributes) => ({
    HttpEndpointDestinationConfiguration: {
      ...httpEndpointMembers(attributes),
      S3Configuration: createdS3Members(attributes['s3_configuration'] as JsonObject),
    },
  }),
  update: (attributes) => ({
    HttpEndpointDestinationUpdate: {
      ...httpEndpointMembers(attributes),
      S3Update: s3Members(attributes['s3_configuration'] as JsonObject),
    },
  }),
  read(destination, state) {
    const found = destination['HttpEndpointDestinationDescription'] as JsonObject
    const { Url, Name } = found['EndpointConfiguration'] as JsonObject
    return {
      ...readBuffering(found),
      access_key: state['access_key'] ?? '',
      url: Url,
      name: Name ?? '',
      role_arn: found['RoleARN'],
      retry_duration: seconds(found['RetryOptions']),
      s3_backup_mode: found['S3BackupMode'],
      content_encoding: (found['RequestConfiguration'] as JsonObject)['ContentEncoding'],
      s3_configuration: readS3(found['S3DestinationDescription'] as JsonObject),
    }
  },
}

function extendedS3Members(attributes: JsonObject): JsonObject {
  const retrySeconds = attributes['partitioning_retry_duration']
  return {
    ...commonS3Members(attributes),
    CustomTimeZone: attributes['custom_time_zone'],
    FileExtension: attributes['file_extension'],
    DataFormatConversionConfiguration: { Enabled: false },
    ProcessingConfiguration: processing(attributes['processors'] as JsonObject[]),
    S3BackupMode: attributes['s3_backup_mode'],
    ...(retrySeconds === null
      ? {}
      : {
          DynamicPartitioningConfiguration: {
            Enabled: true,
            RetryOptions: { DurationInSeconds: retrySeconds },
          },
        }),
  }
}

function splunkMembers(attributes: JsonObject): JsonObject {
  const token = attributes['hec_token']
  return {
    BufferingHints: bufferingHints(attributes),
    HECAcknowledgmentTimeoutInSeconds: attributes['hec_acknowledgment_timeout'],
    HECEndpoint: attributes['hec_endpoint'],
    HECEndpointType: attributes['hec_endpoint_type'],
    ...(token === '' ? {} : { HECToken: token }),
    RetryOptions: { DurationInSeconds: attributes['retry_duration'] },
    S3BackupMode: attributes['s3_backup_mode'],
    ProcessingConfiguration: processing([]),
  }
}

function httpEndpointMembers(attributes: JsonObject): JsonObject {
  return {
    BufferingHints: bufferingHints(attributes),
    EndpointConfiguration: {
      Url: attributes['url'],
      Name: attributes['name'],
      AccessKey: attributes['access_key'],
    },
    RoleARN: attributes['role_arn'],
    RetryOptions: { DurationInSeconds: attributes['retry_duration'] },
    S3BackupMode: attributes['s3_backup_mode'],
    ProcessingConfiguration: processing([]),
    RequestConfiguration: { ContentEncoding: attributes['content_encoding'], CommonAttributes: [] },
  }
}

function backupMembers(
  attributes: JsonObject,
  members: (attributes: JsonObject) => JsonObject,
): JsonObject | undefined {
  const backup = attributes['s3_backup_configuration'] as JsonObject | null
  return backup === null ? undefined : members(backup)
}

/** An empty error prefix is left out when a stream is created, and sent when it is updated. */
function createdS3Members(attributes: JsonObject): JsonObject {
  return { ...commonS3Members(attributes), ...errorOutputPrefix(attributes) }
}

function s3Members(attributes: JsonObject): JsonObject {
  return {
    ...commonS3Members(attributes),
    ErrorOutputPrefix: attributes['error_output_prefix'],
  }
}

function errorOutputPrefix(attributes: JsonObject): JsonObject {
  const prefix = attributes['error_output_prefix']
  return prefix === '' ? {} : { ErrorOutputPrefix: prefix }
}

function commonS3Members(attributes: JsonObject): JsonObject {
  return {
    RoleARN: attributes['role_arn'],
    BucketARN: attributes['bucket_arn'],
    Prefix: attributes['prefix'],
    BufferingHints: bufferingHints(attributes),
    CompressionFormat: attributes['compression_format'],
    EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
    CloudWatchLoggingOptions: {
      Enabled: attributes['cloudwatch_logging'],
      LogGroupName: '',
      LogStreamName: '',
    },
  }
}

function bufferingHints(attributes: JsonObject): JsonObject {
  return {
    SizeInMBs: attributes['buffering_size'],
    IntervalInSeconds: attributes['buffering_interval'],
  }
}

function processing(processors: readonly JsonObject[]): JsonObject {
  const Processors = processors.map(({ type, parameters }) => ({
    Type: type,
    Parameters: Object.entries(parameters as JsonObject).map(([ParameterName, value]) => ({
      ParameterName,
      ParameterValue: value,
    })),
  }))
  return { Enabled: Processors.length > 0, Processors }
}

function readS3(found: JsonObject): JsonObject {
  const logging = found['CloudWatchLoggingOptions'] as JsonObject | undefined
  return {
    ...readBuffering(found),
    role_arn: found['RoleARN'],
    bucket_arn: found['BucketARN'],
    prefix: found['Prefix'] ?? '',
    error_output_prefix: found['ErrorOutputPrefix'] ?? '',
    compression_format: found['CompressionFormat'],
    cloudwatch_logging: logging?.['Enabled'] ?? false,
  }
}

function readBuffering(found: JsonObject): JsonObject {
  const { SizeInMBs, IntervalInSeconds } = found['BufferingHints'] as JsonObject
  return { buffering_size: SizeInMBs, buffering_interval: IntervalInSeconds }
}

function readProcessors(found: JsonObject): JsonObject[] {
  const { Processors = [] } = (found['ProcessingConfiguration'] ?? {}) as JsonObject
  return (Processors as JsonObject[]).map(({ Type, Parameters = [] }) => {
    const parameters = (Parameters as JsonObject[]).map(
      ({ ParameterName, ParameterValue }) => [ParameterName, ParameterValue] as const,
    )
    return { type: Type, parameters: Object.fromEntries(parameters) }
  })
}

function seconds(options: unknown): number | undefined {
  return (options as { DurationInSeconds?: number } | undefined)?.DurationInSeconds
}
