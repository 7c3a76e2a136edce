/** What Standpipe's API takes beyond AWS's, in the form of AWS's model and made of its shapes. */

interface StructureExtension {
  readonly required: readonly string[]
  /** Names of shapes by member. */
  readonly members: Readonly<Record<string, string>>
}

const MONGODB_MEMBERS = {
  RoleARN: 'RoleARN',
  ConnectionString: 'MongoDBConnectionString',
  DatabaseName: 'MongoDBDatabaseName',
  CollectionName: 'MongoDBCollectionName',
  BufferingHints: 'HttpEndpointBufferingHints',
  RetryOptions: 'HttpEndpointRetryOptions',
  S3BackupMode: 'HttpEndpointS3BackupMode',
  ProcessingConfiguration: 'ProcessingConfiguration',
  CloudWatchLoggingOptions: 'CloudWatchLoggingOptions',
  SecretsManagerConfiguration: 'SecretsManagerConfiguration',
}

const STARTING_MEMBERS = {
  StartingPosition: 'SourceStartingPosition',
  StartingTimestamp: 'ReadFromTimestamp',
}

/** Structures that AWS has not. */
export const NEW_STRUCTURES: Readonly<Record<string, StructureExtension>> = {
  MongoDBDestinationConfiguration: {
    required: ['ConnectionString', 'DatabaseName', 'CollectionName', 'S3Configuration'],
    members: { ...MONGODB_MEMBERS, S3Configuration: 'S3DestinationConfiguration' },
  },
  MongoDBDestinationUpdate: {
    required: [],
    members: { ...MONGODB_MEMBERS, S3Update: 'S3DestinationUpdate' },
  },
  RedisStreamSourceConfiguration: {
    required: ['RedisUrl', 'StreamKeys'],
    members: {
      RedisUrl: 'RedisUrl',
      StreamKeys: 'RedisStreamKeyList',
      ConsumerGroup: 'RedisConsumerGroup',
      RecordFormat: 'RedisRecordFormat',
      ...STARTING_MEMBERS,
    },
  },
}

/** Members that AWS's structures have not. */
export const NEW_MEMBERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  CreateDeliveryStreamInput: {
    MongoDBDestinationConfiguration: 'MongoDBDestinationConfiguration',
    RedisStreamSourceConfiguration: 'RedisStreamSourceConfiguration',
  },
  KinesisStreamSourceConfiguration: {
    EnhancedFanOutConsumerName: 'KinesisConsumerName',
    ...STARTING_MEMBERS,
  },
  UpdateDestinationInput: { MongoDBDestinationUpdate: 'MongoDBDestinationUpdate' },
}

/** The names' rules are the server's. */
export const NEW_SCALARS = {
  SourceStartingPosition: { type: 'string', enum: ['LATEST', 'TRIM_HORIZON', 'AT_TIMESTAMP'] },
  KinesisConsumerName: { type: 'string', min: 1, max: 128, pattern: '[a-zA-Z0-9_.-]+' },
  // It has no place for a password either.
  RedisUrl: {
    type: 'string',
    min: 1,
    max: 2048,
    pattern: String.raw`rediss?://\S+`,
    sensitive: true,
  },
  RedisStreamKeyList: { type: 'list', min: 1, max: 100, member: 'RedisStreamKey' },
  // It is the name of a partition (chunk-origin.ts).
  RedisStreamKey: { type: 'string', min: 1, max: 512 },
  RedisConsumerGroup: { type: 'string', min: 1, max: 512 },
  RedisRecordFormat: { type: 'string', enum: ['VALUE', 'JSON'] },
  // It has no place for a password, but somebody may put one there.
  MongoDBConnectionString: {
    type: 'string',
    min: 1,
    max: 2048,
    pattern: String.raw`mongodb(\+srv)?://\S+`,
    sensitive: true,
  },
  MongoDBDatabaseName: {
    type: 'string',
    min: 1,
    max: 63,
    pattern: String.raw`[^/\\. "$*<>:|?\x00]+`,
  },
  MongoDBCollectionName: {
    type: 'string',
    min: 1,
    max: 190,
    pattern: String.raw`(?!system\.)[^$\x00.]([^$\x00]*[^$\x00.])?`,
  },
} as const
