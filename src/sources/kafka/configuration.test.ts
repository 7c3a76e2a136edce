import { expect, test } from 'vitest'
import type { JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'
import { createConfiguration } from './configuration.ts'
import { kafkaSource } from './index.ts'

const CREATED_AT_MS = 1_700_000_000_500
const GIVEN = {
  MSKClusterARN: 'arn:aws:kafka:us-east-1:123456789012:cluster/orders/0a-1',
  TopicName: 'orders.v1',
  AuthenticationConfiguration: {
    RoleARN: 'arn:aws:iam::123456789012:role/kafka',
    Connectivity: 'PRIVATE',
  },
}

test('a topic is read from the creation of its stream, unless it says from when', () => {
  expect(createConfiguration(GIVEN, CREATED_AT_MS)).toEqual({
    ...GIVEN,
    ReadFromTimestamp: 1_700_000_000.5,
    DeliveryStartTimestamp: 1_700_000_000.5,
  })
  const { ReadFromTimestamp } = createConfiguration(
    { ...GIVEN, ReadFromTimestamp: 0 },
    CREATED_AT_MS,
  )
  expect(ReadFromTimestamp).toBe(0)
})

test('it is described as it was given, and with when reading began', () => {
  const start = { DeliveryStartTimestamp: 1_700_000_000.5 }
  expect(kafkaSource.describe(createConfiguration(GIVEN, CREATED_AT_MS))).toEqual({
    MSKSourceDescription: { ...GIVEN, ...start },
  })
  const given = { ...GIVEN, ReadFromTimestamp: 0 }
  expect(kafkaSource.describe(createConfiguration(given, CREATED_AT_MS))).toEqual({
    MSKSourceDescription: { ...given, ...start },
  })
})

test.each<[string, JsonObject]>([
  ['.MSKClusterARN', { ...GIVEN, MSKClusterARN: 'arn:aws:kinesis:us-east-1:1:stream/x' }],
  ['.TopicName', { ...GIVEN, TopicName: 'no spaces' }],
  ['.TopicName', { ...GIVEN, TopicName: '..' }],
  ['RoleARN', { ...GIVEN, AuthenticationConfiguration: { Connectivity: 'PUBLIC' } }],
  [
    'Connectivity',
    {
      ...GIVEN,
      AuthenticationConfiguration: { ...GIVEN.AuthenticationConfiguration, Connectivity: 'ANY' },
    },
  ],
  ['RoleARN', { MSKClusterARN: GIVEN.MSKClusterARN, TopicName: 'x' }],
  ['.ReadFromTimestamp', { ...GIVEN, ReadFromTimestamp: -1 }],
  ['no member Brokers', { ...GIVEN, Brokers: 'kafka:9092' }],
])('what can’t be had is refused, by its name: %s', (name, given) => {
  const create = (): unknown => createConfiguration(given, CREATED_AT_MS)
  expect(create).toThrow(ConfigurationError)
  expect(create).toThrow(name)
})
