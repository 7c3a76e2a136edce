import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { DestinationType } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import { openSearch } from './index.ts'

const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const S3 = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::failed' }
const CONTEXT = { strictAws: false, objectStoreKind: 's3' } as const
const ENDPOINT = 'http://search:9200'

const [service, elasticsearch, serverless] = openSearch as [
  DestinationType,
  DestinationType,
  DestinationType,
]

function create(type: DestinationType, members: JsonObject): JsonObject {
  const [member = ''] = type.configurationMembers
  const given = { RoleARN: ROLE, IndexName: 'logs', S3Configuration: S3, ...members }
  return type.create(member, given, CONTEXT)
}

function update(type: DestinationType, stored: JsonObject, members: JsonObject): JsonObject {
  return type.update(stored, type.updateMembers[0] ?? '', members, CONTEXT)
}

const STORED = create(service, { ClusterEndpoint: ENDPOINT })

test('a domain is described with every default', () => {
  const { S3DestinationDescription, ...described } = service.describe(STORED)[
    'AmazonopensearchserviceDestinationDescription'
  ] as JsonObject
  expect(described).toEqual({
    RoleARN: ROLE,
    ClusterEndpoint: ENDPOINT,
    IndexName: 'logs',
    IndexRotationPeriod: 'OneDay',
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
    RetryOptions: { DurationInSeconds: 300 },
    S3BackupMode: 'FailedDocumentsOnly',
    CloudWatchLoggingOptions: { Enabled: false },
    DocumentIdOptions: { DefaultDocumentIdFormat: 'FIREHOSE_DEFAULT' },
  })
  expect(S3DestinationDescription).toMatchObject(S3)
})

test('a collection has no index options', () => {
  const stored = create(serverless, { CollectionEndpoint: ENDPOINT })
  const described = serverless.describe(stored)['AmazonOpenSearchServerlessDestinationDescription']
  expect(Object.keys(described as JsonObject).toSorted()).toEqual([
    'BufferingHints',
    'CloudWatchLoggingOptions',
    'CollectionEndpoint',
    'IndexName',
    'RetryOptions',
    'RoleARN',
    'S3BackupMode',
    'S3DestinationDescription',
  ])
})

test('Elasticsearch is described under its own name', () => {
  const stored = create(elasticsearch, { ClusterEndpoint: ENDPOINT, TypeName: 'event' })
  expect(elasticsearch.describe(stored)).toMatchObject({
    ElasticsearchDestinationDescription: { IndexName: 'logs', TypeName: 'event' },
  })
})

describe('an update', () => {
  test('changes what it names', () => {
    const updated = update(service, STORED, {
      IndexName: 'events',
      RetryOptions: { DurationInSeconds: 0 },
      S3Update: { Prefix: 'p/' },
    })
    expect(updated).toEqual({
      ...STORED,
      IndexName: 'events',
      RetryOptions: { DurationInSeconds: 0 },
      S3Configuration: { ...(STORED['S3Configuration'] as JsonObject), Prefix: 'p/' },
    })
  })

  test('that changes nothing leaves the stored form as it is', () => {
    expect(update(service, STORED, { IndexName: 'logs' })).toBe(STORED)
  })

  test('is checked like a creation', () => {
    expect(() => update(service, STORED, { IndexName: 'Logs' })).toThrow(ConfigurationError)
  })
})

test.each<[string, JsonObject]>([
  ['ClusterEndpoint must be specified', {}],
  ['DomainARN is not supported', { DomainARN: 'arn:aws:es:us-east-1:000000000000:domain/logs' }],
  [
    'VpcConfiguration is not supported',
    { ClusterEndpoint: ENDPOINT, VpcConfiguration: { RoleARN: ROLE } },
  ],
  ['ClusterEndpoint must be an http or https URL', { ClusterEndpoint: 'ftp://search' }],
  [
    'ClusterEndpoint must not hold a user name or password',
    { ClusterEndpoint: 'http://user:secret@search' },
  ],
  [
    'ClusterEndpoint must not hold a query or a fragment',
    { ClusterEndpoint: 'http://search/?pretty' },
  ],
  ["Invalid IndexName 'Logs'", { ClusterEndpoint: ENDPOINT, IndexName: 'Logs' }],
  ["Invalid IndexName '_logs'", { ClusterEndpoint: ENDPOINT, IndexName: '_logs' }],
  [
    "Invalid IndexName '<logs-{now/d}>'",
    { ClusterEndpoint: ENDPOINT, IndexName: '<logs-{now/d}>' },
  ],
])('refused: %s', (message, members) => {
  expect(() => create(service, members)).toThrow(message)
})
