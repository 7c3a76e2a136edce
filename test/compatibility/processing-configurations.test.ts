/** What each destination makes of a ProcessingConfiguration, as far as configurations go. */
import { strict as assert } from 'node:assert'
import { describe, expect, test } from 'vitest'
import { destinationTypes } from '../../destinations/index.ts'
import { validateInput } from '../../src/api/validation.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext, DestinationType } from '../../src/destination.ts'
import { ROLE_ARN } from './requests.ts'

const LENIENT: ConfigurationContext = { strictAws: false, objectStoreKind: 's3' }
const OWN_ROLE = 'arn:aws:iam::123456789012:role/own'
const S3Configuration = { RoleARN: ROLE_ARN, BucketARN: 'arn:aws:s3:::failed' }
const OWN = { RoleARN: OWN_ROLE, S3Configuration }
const ENDPOINT = 'https://search.example.com'

const ALL_OTHERS: Readonly<Record<string, JsonObject>> = {
  Redshift: {
    ...OWN,
    ClusterJDBCURL: 'jdbc:redshift://c.x.us-east-1.redshift.amazonaws.com:5439/dev',
    CopyCommand: { DataTableName: 'events' },
    Username: 'loader',
    Password: 'secret-word',
  },
  Elasticsearch: { ...OWN, IndexName: 'logs', ClusterEndpoint: ENDPOINT },
  Amazonopensearchservice: { ...OWN, IndexName: 'logs', ClusterEndpoint: ENDPOINT },
  AmazonOpenSearchServerless: { ...OWN, IndexName: 'logs', CollectionEndpoint: ENDPOINT },
  Splunk: {
    S3Configuration,
    HECEndpoint: 'https://splunk.example.com',
    HECEndpointType: 'Raw',
    HECToken: 'token',
  },
  HttpEndpoint: { S3Configuration, EndpointConfiguration: { Url: 'https://example.com/' } },
  MongoDB: {
    S3Configuration,
    ConnectionString: 'mongodb://host/',
    DatabaseName: 'db',
    CollectionName: 'c',
  },
}
const ALL: Readonly<Record<string, JsonObject>> = {
  ExtendedS3: { RoleARN: OWN_ROLE, BucketARN: 'arn:aws:s3:::logs' },
  ...ALL_OTHERS,
}

function processing(Type: string, parameters: Readonly<Record<string, string>> = {}): JsonObject {
  const Parameters = Object.entries(parameters).map(([ParameterName, ParameterValue]) => ({
    ParameterName,
    ParameterValue,
  }))
  return { ProcessingConfiguration: { Enabled: true, Processors: [{ Type, Parameters }] } }
}

const LAMBDA = { LambdaArn: 'arn:aws:lambda:us-east-1:123456789012:function:enrich' }

function typeOf(member: string): DestinationType {
  const type = [...destinationTypes.values()].find(({ configurationMembers }) =>
    configurationMembers.includes(member),
  )
  assert(type !== undefined, `there is a destination for ${member}`)
  return type
}

/** The stored form of what a request configures. */
function create(destination: string, more: JsonObject, context = LENIENT): JsonObject {
  const member = `${destination}DestinationConfiguration`
  const configuration = { ...ALL[destination], ...more }
  const input = { DeliveryStreamName: 'logs', [member]: configuration }
  const known = validateInput('CreateDeliveryStream', input, context)
  return typeOf(member).create(member, known[member] as JsonObject, context)
}

test('all destinations are here', () => {
  const members = Object.keys(ALL).map((name) => `${name}DestinationConfiguration`)
  expect(new Set(members.map(typeOf))).toEqual(new Set(destinationTypes.values()))
})

describe.each(Object.keys(ALL))('%s', (destination) => {
  test('completes a function with its role and the size of its buffer', () => {
    const hasRole = ALL[destination]?.['RoleARN'] !== undefined
    const { ProcessingConfiguration } = processing('Lambda', {
      ...LAMBDA,
      NumberOfRetries: '3',
      RoleArn: hasRole ? OWN_ROLE : ROLE_ARN,
      BufferSizeInMBs: destination === 'Splunk' ? '0.25' : '1',
      BufferIntervalInSeconds: '60',
    })
    const stored = create(destination, processing('Lambda', LAMBDA))
    expect(stored).toMatchObject({ ProcessingConfiguration })
    const type = typeOf(`${destination}DestinationConfiguration`)
    const described = Object.values(type.describe(stored)).at(-1)
    expect(described).toMatchObject({ ProcessingConfiguration })
  })

  test('takes the other processors', () => {
    const logs = processing('Decompression')
    for (const each of [
      processing('RecordDeAggregation', { SubRecordType: 'JSON' }),
      processing('RecordDeAggregation', { SubRecordType: 'KPL' }),
      processing('SQL', { SqlQuery: 'SELECT a,\n b FROM records' }),
    ]) {
      expect(create(destination, each)).toMatchObject(each)
    }
    expect(create(destination, logs)).toMatchObject(
      processing('Decompression', { CompressionFormat: 'GZIP' }),
    )
  })
})

function switchDecompressionOn(destination: string, context: ConfigurationContext): JsonObject {
  const type = typeOf(`${destination}DestinationConfiguration`)
  const [member = ''] = type.updateMembers
  return type.update(create(destination, {}), member, processing('Decompression'), context)
}

test.each(Object.keys(ALL))('%s takes Decompression later', (destination) => {
  expect(switchDecompressionOn(destination, LENIENT)).toMatchObject(
    processing('Decompression', { CompressionFormat: 'GZIP' }),
  )
})

test.each(Object.keys(ALL).filter((name) => name !== 'MongoDB'))(
  'with the limits of AWS, %s takes Decompression only at create',
  (destination) => {
    const strict = { ...LENIENT, strictAws: true }
    expect(create(destination, processing('Decompression'), strict)).toBeDefined()
    expect(() => switchDecompressionOn(destination, strict)).toThrow(
      'DecompressionProcessor can only be enabled on a Firehose that has',
    )
  },
)

test.each(Object.keys(ALL_OTHERS))('%s has no partitions to extract keys for', (destination) => {
  const extraction = processing('MetadataExtraction', { MetadataExtractionQuery: '{a:.a}' })
  expect(() => create(destination, extraction)).toThrow(
    'MetadataExtraction processor is only supported for an S3 destination',
  )
})
