import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { httpEndpoint } from './index.ts'

const MEMBER = 'HttpEndpointDestinationConfiguration'
const UPDATE = 'HttpEndpointDestinationUpdate'
const LENIENT: ConfigurationContext = { strictAws: false, objectStoreKind: 'folder' }
const STRICT = { ...LENIENT, strictAws: true }
const S3Configuration = {
  RoleARN: 'arn:aws:iam::000000000000:role/firehose',
  BucketARN: 'arn:aws:s3:::failed',
}

function create(endpoint: JsonObject, members: JsonObject = {}, context = LENIENT): JsonObject {
  const given = { EndpointConfiguration: endpoint, S3Configuration, ...members }
  return httpEndpoint.create(MEMBER, given, context)
}

test('a configuration is stored with its defaults and described without its key', () => {
  const stored = create({ Url: 'http://localhost:8080/in', Name: 'mine', AccessKey: 'secret' })
  expect(stored).toMatchObject({
    EndpointConfiguration: { Url: 'http://localhost:8080/in', Name: 'mine', AccessKey: 'secret' },
    RequestConfiguration: { ContentEncoding: 'NONE', CommonAttributes: [] },
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
    RetryOptions: { DurationInSeconds: 300 },
    S3BackupMode: 'FailedDataOnly',
  })
  const described = httpEndpoint.describe(stored)
  expect(described).toMatchObject({
    HttpEndpointDestinationDescription: {
      EndpointConfiguration: { Url: 'http://localhost:8080/in', Name: 'mine' },
      S3DestinationDescription: S3Configuration,
    },
  })
  expect(JSON.stringify(described)).not.toContain('secret')
})

test.each([
  ['ftp://localhost/', 'must be an http or https URL'],
  ['not a URL', 'must be an http or https URL'],
  ['http://user:password@localhost/', 'must not hold a user name or password'],
])('%s is refused', (url, reason) => {
  expect(() => create({ Url: url })).toThrow(reason)
})

test("strict as AWS, only https on AWS's port is taken", () => {
  expect(() => create({ Url: 'http://localhost/' }, {}, STRICT)).toThrow('must be an https URL')
  expect(() => create({ Url: 'https://localhost:8443/' }, {}, STRICT)).toThrow('on port 443')
  expect(create({ Url: 'https://localhost/' }, {}, STRICT)).toBeDefined()
})

test('what would have no effect, or could not be sent, is refused', () => {
  const ProcessingConfiguration = {
    Enabled: true,
    Processors: [{ Type: 'AppendDelimiterToRecord' }],
  }
  expect(() => create({ Url: 'http://localhost/' }, { ProcessingConfiguration })).toThrow(
    'AppendDelimiterToRecord is not supported',
  )
  expect(() => create({ Url: 'http://localhost/', AccessKey: 'a\u00e9' })).toThrow('AccessKey')
  const attribute = { AttributeName: 'a', AttributeValue: 'b' }
  const RequestConfiguration = { CommonAttributes: [attribute, attribute] }
  expect(() => create({ Url: 'http://localhost/' }, { RequestConfiguration })).toThrow(
    'CommonAttributes',
  )
})

test.each([
  ['Datadog', 'https://aws-kinesis-http-intake.logs.datadoghq.eu/v1/input', 4],
  ['New Relic', 'https://aws-api.eu01.nr-data.net/firehose/v1', 5],
  ['Sumo Logic', 'https://endpoint4.collection.sumologic.com/receiver/v1/kinesis/log/t', 1],
  ['Honeycomb', 'https://api.honeycomb.io/1/kinesis_events/set', 15],
  ['Elastic', 'https://x.es.us-east-1.aws.elastic-cloud.com', 1],
  ['Coralogix', 'https://ingress.eu2.coralogix.com/aws/firehose', 6],
])('%s is known by its host, and by the name when it is behind another', (name, url, sizeInMBs) => {
  const expected = {
    BufferingHints: { SizeInMBs: sizeInMBs, IntervalInSeconds: 60 },
    RequestConfiguration: { ContentEncoding: 'GZIP' },
  }
  expect(create({ Url: url })).toMatchObject(expected)
  expect(create({ Url: 'http://relay/', Name: `${name} logs - US` })).toMatchObject(expected)
  const given = {
    BufferingHints: { SizeInMBs: 7, IntervalInSeconds: 70 },
    RequestConfiguration: { ContentEncoding: 'NONE' },
  }
  expect(create({ Url: url }, given)).toMatchObject(given)
})

test('Dynatrace takes nothing without the address of the environment', () => {
  const endpoint = { Url: 'https://aws.cloud.dynatrace.com/logs' }
  expect(() => create(endpoint)).toThrow('CommonAttributes must have dt-url for Dynatrace')
  const CommonAttributes = [
    { AttributeName: 'dt-url', AttributeValue: 'https://x.live.dynatrace.com' },
  ]
  expect(create(endpoint, { RequestConfiguration: { CommonAttributes } })).toMatchObject({
    RequestConfiguration: { ContentEncoding: 'GZIP', CommonAttributes },
  })
})

test('an update keeps the key for the same endpoint, and never gives it to another', () => {
  const stored = create({ Url: 'http://localhost:8080/in', AccessKey: 'secret' })
  const update = (EndpointConfiguration: JsonObject) =>
    httpEndpoint.update(stored, UPDATE, { EndpointConfiguration }, LENIENT)['EndpointConfiguration']
  expect(update({ Url: 'http://localhost:8080/other' })).toEqual({
    Url: 'http://localhost:8080/other',
    AccessKey: 'secret',
  })
  expect(update({ Url: 'http://localhost:8081/in' })).toEqual({ Url: 'http://localhost:8081/in' })
  expect(update({ Url: 'http://localhost:8080/in', AccessKey: 'new' })).toEqual({
    Url: 'http://localhost:8080/in',
    AccessKey: 'new',
  })
})

test('an update that says what is there changes nothing', () => {
  const stored = create({ Url: 'http://localhost/' })
  const update = {
    EndpointConfiguration: { Url: 'http://localhost/' },
    RequestConfiguration: { ContentEncoding: 'NONE' },
  }
  expect(httpEndpoint.update(stored, UPDATE, update, LENIENT)).toBe(stored)
  const all = httpEndpoint.update(stored, UPDATE, { S3BackupMode: 'AllData' }, LENIENT)
  expect(all).toMatchObject({ S3BackupMode: 'AllData' })
})
