import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { splunk } from './index.ts'

const LENIENT: ConfigurationContext = { strictAws: false, objectStoreKind: 'folder' }
const S3Configuration = {
  RoleARN: 'arn:aws:iam::000000000000:role/firehose',
  BucketARN: 'arn:aws:s3:::failed',
}

function create(members: JsonObject = {}, context = LENIENT): JsonObject {
  const given = {
    HECEndpoint: 'http://localhost:8088',
    HECEndpointType: 'Event',
    HECToken: 'secret',
    S3Configuration,
    ...members,
  }
  return splunk.create('SplunkDestinationConfiguration', given, context)
}

function update(stored: JsonObject, members: JsonObject): JsonObject {
  return splunk.update(stored, 'SplunkDestinationUpdate', members, LENIENT)
}

test('a configuration is stored with its defaults and described without its token', () => {
  const stored = create()
  const defaults = {
    HECEndpoint: 'http://localhost:8088',
    HECEndpointType: 'Event',
    HECAcknowledgmentTimeoutInSeconds: 180,
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 60 },
    RetryOptions: { DurationInSeconds: 300 },
    S3BackupMode: 'FailedEventsOnly',
  }
  expect(stored).toMatchObject({ ...defaults, HECToken: 'secret' })
  const described = splunk.describe(stored)
  expect(described).toMatchObject({ SplunkDestinationDescription: defaults })
  expect(JSON.stringify(described)).not.toContain('secret')
})

test.each<[JsonObject, string]>([
  [{ HECEndpoint: 'localhost:8088' }, 'HECEndpoint must be an http or https URL'],
  [{ HECEndpoint: 'http://localhost:8088/?a=b' }, 'HECEndpoint must not have a query'],
  [{ HECToken: '' }, 'HECToken must be given'],
  [{ HECToken: 'a\nb' }, 'HECToken must be given'],
  [{ BufferingHints: { SizeInMBs: 6, IntervalInSeconds: 60 } }, 'SizeInMBs'],
  [{ S3BackupMode: 'AllData' }, "Invalid S3BackupMode 'AllData'"],
])('%j is refused', (members, reason) => {
  expect(() => create(members)).toThrow(reason)
})

test('strict as AWS, only https is taken', () => {
  const strict = { ...LENIENT, strictAws: true }
  expect(() => create({}, strict)).toThrow('HECEndpoint must be an https URL')
  expect(create({ HECEndpoint: 'https://localhost:8088' }, strict)).toBeDefined()
})

test('a secret of the host does for a token', () => {
  const SecretsManagerConfiguration = { Enabled: true, SecretARN: 'arn:secret' }
  const { HECToken: _token, ...stored } = create({ SecretsManagerConfiguration })
  expect(update(stored, { HECEndpointType: 'Raw' })).toMatchObject({ HECEndpointType: 'Raw' })
})

test('backup of all events can be switched on, and not off', () => {
  const stored = create()
  const backed = update(stored, { S3BackupMode: 'AllEvents' })
  expect(backed).toMatchObject({ S3BackupMode: 'AllEvents', HECToken: 'secret' })
  expect(() => update(backed, { S3BackupMode: 'FailedEventsOnly' })).toThrow(
    'S3BackupMode cannot be changed from AllEvents',
  )
  expect(update(stored, { HECEndpointType: 'Event' })).toBe(stored)
})
