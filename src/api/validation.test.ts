import { expect, test } from 'vitest'
import { compilePattern } from './constraints.ts'
import { ApiError } from './exceptions.ts'
import { parseJsonBody } from './json-body.ts'
import constraints from './model/firehose-constraints.json' with { type: 'json' }
import { validateInput } from './validation.ts'
import type { JsonObject } from '../base/json.ts'

const ROLE = 'arn:aws:iam::000000000000:role/firehose'
const BUCKET = 'arn:aws:s3:::logs'

function refusal(act: () => unknown): { type: string; message: string } {
  try {
    act()
  } catch (error) {
    if (error instanceof ApiError) return { type: error.type, message: error.message }
    throw error
  }
  throw new Error('Nothing was refused')
}

function withExtendedS3(members: JsonObject): JsonObject {
  return {
    DeliveryStreamName: 'logs',
    ExtendedS3DestinationConfiguration: { RoleARN: ROLE, BucketARN: BUCKET, ...members },
  }
}

test('a good input comes back as it is', () => {
  const input = withExtendedS3({ BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 0 } })
  expect(validateInput('CreateDeliveryStream', input)).toEqual(input)
})

test('nulls and members that the model does not know are left out', () => {
  const input = { DeliveryStreamName: 'logs', AllowForceDelete: null, Colour: 'red' }
  expect(validateInput('DeleteDeliveryStream', input)).toEqual({ DeliveryStreamName: 'logs' })
})

test.each<[string, string, JsonObject, string]>([
  [
    'a missing member',
    'DeleteDeliveryStream',
    {},
    "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null",
  ],
  [
    'a name that is too long',
    'DeleteDeliveryStream',
    { DeliveryStreamName: 'x'.repeat(65) },
    "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64",
  ],
  [
    'an empty name, which breaks two constraints',
    'DeleteDeliveryStream',
    { DeliveryStreamName: '' },
    "2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
  ],
  [
    'a name that matches only in part',
    'DeleteDeliveryStream',
    { DeliveryStreamName: '../../etc/passwd' },
    "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
  ],
  [
    'a name with a line after it',
    'DeleteDeliveryStream',
    { DeliveryStreamName: 'logs\n' },
    "1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
  ],
  [
    'a number out of range',
    'ListDeliveryStreams',
    { Limit: 0 },
    "1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
  ],
  [
    'an enum, whose set is in the order of AWS',
    'CreateDeliveryStream',
    withExtendedS3({ CompressionFormat: 'LZ4' }),
    "1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]",
  ],
  [
    'a member of a list element',
    'CreateDeliveryStream',
    withExtendedS3({ ProcessingConfiguration: { Processors: [{ Type: 'Lambda' }, {}] } }),
    "1 validation error detected: Value at 'extendedS3DestinationConfiguration.processingConfiguration.processors.2.member.type' failed to satisfy constraint: Member must not be null",
  ],
  [
    'an element that is null',
    'PutRecordBatch',
    { DeliveryStreamName: 'logs', Records: [null] },
    "1 validation error detected: Value at 'records.1.member' failed to satisfy constraint: Member must not be null",
  ],
  [
    'too many records',
    'PutRecordBatch',
    { DeliveryStreamName: 'logs', Records: Array.from({ length: 501 }, () => ({ Data: '' })) },
    "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500",
  ],
  [
    'a record that is too large once decoded',
    'PutRecord',
    { DeliveryStreamName: 'logs', Record: { Data: Buffer.alloc(1_024_001).toString('base64') } },
    "1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000",
  ],
  [
    'elements of a list of scalars',
    'UntagDeliveryStream',
    { DeliveryStreamName: 'logs', TagKeys: ['team', 'aws:own'] },
    "1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^(?!aws:)[\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@%]*$]",
  ],
])('refuses %s in the words of AWS', (_, operation, input, message) => {
  expect(refusal(() => validateInput(operation, input))).toEqual({
    type: 'ValidationException',
    message,
  })
})

test.each<[string, JsonObject, string]>([
  ['number for a string', { DeliveryStreamName: 7 }, 'NUMBER_VALUE cannot be converted to String'],
  ['list for a string', { DeliveryStreamName: [] }, 'Start of list found where not expected'],
  [
    'structure for a string',
    { DeliveryStreamName: {} },
    'Start of structure or map found where not expected',
  ],
  [
    'string for an integer',
    { DeliveryStreamName: 'logs', Limit: '5' },
    'STRING_VALUE cannot be converted to Integer',
  ],
  [
    'fraction for an integer',
    { DeliveryStreamName: 'logs', Limit: 1.5 },
    'NUMBER_VALUE cannot be converted to Integer',
  ],
])('a %s is a SerializationException', (_, input, message) => {
  expect(refusal(() => validateInput('DescribeDeliveryStream', input))).toEqual({
    type: 'SerializationException',
    message,
  })
})

test.each(['a', 'a===', '====', 'YWJj!', 'YQ==YQ==', 'Y-_='])('%j is not base64', (data) => {
  const input = { DeliveryStreamName: 'logs', Record: { Data: data } }
  expect(refusal(() => validateInput('PutRecord', input)).type).toBe('SerializationException')
})

test('ZSTD is taken, but not with the limits of AWS', () => {
  const input = withExtendedS3({ CompressionFormat: 'ZSTD' })
  expect(validateInput('CreateDeliveryStream', input)).toEqual(input)
  const strict = () => validateInput('CreateDeliveryStream', input, { strictAws: true })
  expect(refusal(strict).message).toContain('[ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]')
})

test('SQL is taken, on more than one line, but not with the limits of AWS', () => {
  const Parameters = [{ ParameterName: 'SqlQuery', ParameterValue: 'SELECT *\nFROM records' }]
  const Processors = [{ Type: 'SQL', Parameters }]
  const input = withExtendedS3({ ProcessingConfiguration: { Enabled: true, Processors } })
  expect(validateInput('CreateDeliveryStream', input)).toEqual(input)
  const { message } = refusal(() =>
    validateInput('CreateDeliveryStream', input, { strictAws: true }),
  )
  expect(message).toContain('3 validation errors detected')
  expect(message).toContain('CloudWatchLogProcessing, Lambda, MetadataExtraction')
})

test('a value of a parameter that is blank stays refused', () => {
  const Parameters = [{ ParameterName: 'SqlQuery', ParameterValue: ' \n' }]
  const Processors = [{ Type: 'SQL', Parameters }]
  const input = withExtendedS3({ ProcessingConfiguration: { Processors } })
  const { message } = refusal(() => validateInput('CreateDeliveryStream', input))
  expect(message).toContain('Member must satisfy regular expression pattern')
})

test.each<[string, JsonObject]>([
  [
    'AmazonopensearchserviceDestinationUpdate.ClusterEndpoint',
    { AmazonopensearchserviceDestinationUpdate: { ClusterEndpoint: 'http://search:9200' } },
  ],
  [
    'ElasticsearchDestinationUpdate.ClusterEndpoint',
    { ElasticsearchDestinationUpdate: { ClusterEndpoint: 'http://search:9200' } },
  ],
  [
    'AmazonOpenSearchServerlessDestinationUpdate.CollectionEndpoint',
    { AmazonOpenSearchServerlessDestinationUpdate: { CollectionEndpoint: 'http://search:9200' } },
  ],
  [
    'RedshiftDestinationUpdate.ClusterJDBCURL',
    { RedshiftDestinationUpdate: { ClusterJDBCURL: 'jdbc:postgresql://localhost:5432/events' } },
  ],
  [
    'RedshiftDestinationUpdate.ClusterJDBCURL over IPv6',
    { RedshiftDestinationUpdate: { ClusterJDBCURL: 'jdbc:redshift://[::1]:5439/events' } },
  ],
  [
    'HttpEndpointDestinationUpdate.EndpointConfiguration.Url',
    {
      HttpEndpointDestinationUpdate: {
        EndpointConfiguration: { Url: 'http://127.0.0.1:8080/records' },
      },
    },
  ],
])('%s may name any host and port, but not with the limits of AWS', (_, members) => {
  const input = {
    DeliveryStreamName: 'logs',
    CurrentDeliveryStreamVersionId: '1',
    DestinationId: 'destinationId-000000000001',
    ...members,
  }
  expect(validateInput('UpdateDestination', input)).toEqual(input)
  const strict = () => validateInput('UpdateDestination', input, { strictAws: true })
  expect(refusal(strict).message).toContain('regular expression pattern: ')
})

test.each(['jdbc:mysql://host:3306/db', 'jdbc:postgresql://host/db', 'postgresql://host:5432/db'])(
  '%s is no ClusterJDBCURL',
  (ClusterJDBCURL) => {
    const input = {
      DeliveryStreamName: 'logs',
      CurrentDeliveryStreamVersionId: '1',
      DestinationId: 'destinationId-000000000001',
      RedshiftDestinationUpdate: { ClusterJDBCURL },
    }
    expect(refusal(() => validateInput('UpdateDestination', input)).message).toContain(
      String.raw`:\d{1,5}/[A-Za-z0-9_$-]+`,
    )
  },
)

test('a destination that AWS has not is checked like the others', () => {
  const configuration = {
    ConnectionString: 'mongodb://host/',
    DatabaseName: 'events',
    CollectionName: 'clicks',
    S3Configuration: { RoleARN: ROLE, BucketARN: BUCKET },
  }
  const withMongoDB = (members: JsonObject): JsonObject => ({
    DeliveryStreamName: 'logs',
    MongoDBDestinationConfiguration: { ...configuration, ...members },
  })
  const input = withMongoDB({})
  expect(validateInput('CreateDeliveryStream', input)).toEqual(input)
  const wrong = withMongoDB({ DatabaseName: 'a/b', CollectionName: 'system.users' })
  const { message } = refusal(() => validateInput('CreateDeliveryStream', wrong))
  expect(message).toMatch(/^2 validation errors .*mongoDBDestinationConfiguration\.databaseName/)
})

test('an own __proto__ and inherited names are unknown members, not values', () => {
  const body = '{"__proto__":{"DeliveryStreamName":"inherited"},"constructor":{"name":"x"}}'
  const input = parseJsonBody(Buffer.from(body))
  expect(refusal(() => validateInput('DeleteDeliveryStream', input)).message).toContain(
    'Member must not be null',
  )
})

test('of a million mistakes a few are told', () => {
  const Processors = Array.from({ length: 1_000_000 }, () => ({}))
  const input = withExtendedS3({ ProcessingConfiguration: { Processors } })
  const { message } = refusal(() => validateInput('CreateDeliveryStream', input))
  expect(message).toMatch(/^20 validation errors detected: /)
})

test('JavaScript reads every pattern of the model', () => {
  const scalars = Object.values(constraints.scalars)
  const patterns = scalars.flatMap((scalar) => ('pattern' in scalar ? [scalar.pattern] : []))
  expect(patterns).toContain('[a-zA-Z0-9_.-]+')
  expect(() => patterns.map((pattern) => compilePattern(pattern))).not.toThrow()
})
