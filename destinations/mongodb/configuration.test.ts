import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { createConfiguration, describeConfiguration, updateConfiguration } from './configuration.ts'

const CONTEXT = { strictAws: false, objectStoreKind: 'folder' } as const
const GIVEN: JsonObject = {
  ConnectionString: 'mongodb://one:27017,two/?replicaSet=rs0&tls=true',
  DatabaseName: 'events',
  CollectionName: 'clicks',
  S3Configuration: {
    RoleARN: 'arn:aws:iam::000000000000:role/firehose',
    BucketARN: 'arn:aws:s3:::errors',
  },
}

test('what is created is described with its defaults', () => {
  const { MongoDBDestinationDescription } = describeConfiguration(
    createConfiguration(GIVEN, CONTEXT),
  )
  expect(MongoDBDestinationDescription).toEqual({
    ConnectionString: 'mongodb://one:27017,two/?replicaSet=rs0&tls=true',
    DatabaseName: 'events',
    CollectionName: 'clicks',
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 60 },
    RetryOptions: { DurationInSeconds: 300 },
    S3BackupMode: 'FailedDataOnly',
    CloudWatchLoggingOptions: { Enabled: false },
    S3DestinationDescription: expect.objectContaining(GIVEN['S3Configuration'] as object),
  })
})

test('an update changes what it names', () => {
  const stored = createConfiguration(GIVEN, CONTEXT)
  const update = { CollectionName: 'views', BufferingHints: { SizeInMBs: 9 } }
  expect(updateConfiguration(stored, update, CONTEXT)).toEqual({
    ...stored,
    CollectionName: 'views',
    BufferingHints: { SizeInMBs: 9, IntervalInSeconds: 60 },
  })
  expect(updateConfiguration(stored, { CollectionName: 'clicks' }, CONTEXT)).toBe(stored)
})

test.each<[string, JsonObject, string]>([
  [
    'a password in the connection string',
    { ConnectionString: 'mongodb://user:hush@host/' },
    'ConnectionString must not hold a user name or password',
  ],
  ['no host', { ConnectionString: 'mongodb://,/hush' }, 'ConnectionString must be mongodb://'],
  [
    'a file of the host',
    { ConnectionString: 'mongodb://host/?tlsCAFile=/etc/hush' },
    'ConnectionString: the option tlsCAFile is not supported, only authMechanism, ',
  ],
  [
    'a weaker write concern',
    { ConnectionString: 'mongodb://host/?w=0' },
    'ConnectionString: the option w is not supported',
  ],
  [
    'credentials of the host',
    { ConnectionString: 'mongodb://host/?authMechanism=MONGODB-AWS' },
    'authMechanism must be one of MONGODB-X509, PLAIN, SCRAM-SHA-1, SCRAM-SHA-256',
  ],
  [
    'a delimiter',
    {
      ProcessingConfiguration: {
        Enabled: true,
        Processors: [{ Type: 'AppendDelimiterToRecord' }],
      },
    },
    'documents have no delimiter',
  ],
])('%s is refused', (_, members, message) => {
  const create = (): unknown => createConfiguration({ ...GIVEN, ...members }, CONTEXT)
  expect(create).toThrow(message)
  expect(create).toThrow(/^(?!.*hush)/s)
})

test('with the limits of AWS there is no MongoDB', () => {
  const create = (): unknown => createConfiguration(GIVEN, { ...CONTEXT, strictAws: true })
  expect(create).toThrow('MongoDB is no destination of AWS, and strictAws is set')
})
