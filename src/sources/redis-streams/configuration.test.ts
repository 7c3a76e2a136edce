import { expect, test } from 'vitest'
import type { JsonObject } from '../../base/json.ts'
import { ConfigurationError } from '../../destination.ts'
import { createConfiguration, describeConfiguration, readConfiguration } from './configuration.ts'

const CREATED_AT_MS = 1_700_000_000_123
const GIVEN = { RedisUrl: 'redis://redis:6379/2', StreamKeys: ['orders', 'returns'] }

function create(special: JsonObject = {}): JsonObject {
  return createConfiguration({ ...GIVEN, ...special }, CREATED_AT_MS)
}

test('defaults are written out: values, from the creation on', () => {
  const stored = {
    ...GIVEN,
    RecordFormat: 'VALUE',
    StartingPosition: 'AT_TIMESTAMP',
    StartingTimestamp: 1_700_000_000.123,
  }
  expect(create()).toEqual(stored)
  expect(create({ StartingPosition: 'LATEST' })).toEqual(stored)
})

test('what is stored is read back, and described', () => {
  const special = { ConsumerGroup: 'mine', RecordFormat: 'JSON', StartingPosition: 'TRIM_HORIZON' }
  const source = create(special)
  const stream = { name: 'sales', streamId: '0123456789abcdef' }
  expect(readConfiguration({ ...stream, source })).toEqual({
    url: GIVEN.RedisUrl,
    keys: GIVEN.StreamKeys,
    group: 'mine',
    format: 'JSON',
    startId: '0-0',
  })
  expect(describeConfiguration(source)).toEqual({
    RedisStreamSourceDescription: { ...GIVEN, ...special },
  })
  expect(readConfiguration({ ...stream, source: create() })).toMatchObject({
    group: 'standpipe-sales-01234567',
    startId: '1700000000122-18446744073709551615',
  })
  expect(describeConfiguration(create())).toEqual({
    RedisStreamSourceDescription: {
      ...GIVEN,
      RecordFormat: 'VALUE',
      DeliveryStartTimestamp: 1_700_000_000.123,
    },
  })
})

test.each([
  [{ RedisUrl: 'http://redis' }, 'RedisUrl must be redis://'],
  [{ RedisUrl: 'redis+cluster://a,b' }, 'RedisUrl must be redis://'],
  [{ RedisUrl: 'redis+sentinel://a/master' }, 'RedisUrl must be redis://'],
  [{ RedisUrl: 'redis://redis?prefix=a' }, 'RedisUrl must be redis://'],
  [{ RedisUrl: 'redis://a,b' }, 'takes one host'],
  [{ RedisUrl: 'redis://redis/orders' }, 'no number of a database'],
  [{ RedisUrl: 'redis://user:secret@redis' }, 'RedisUrl has a password'],
  [{ StreamKeys: [] }, 'StreamKeys must be 1 to 100'],
  [{ StreamKeys: [''] }, 'StreamKeys must be 1 to 100'],
  [{ StreamKeys: Array.from({ length: 101 }, (_, index) => `k${index}`) }, '1 to 100'],
  [{ StreamKeys: ['a', 'a'] }, 'StreamKeys names a key twice'],
  [{ ConsumerGroup: '' }, 'ConsumerGroup must have'],
  [{ RecordFormat: 'XML' }, 'RecordFormat must be VALUE or JSON'],
  [{ StartingPosition: 'EARLIEST' }, 'StartingPosition must be'],
  [{ StartingPosition: 'AT_TIMESTAMP' }, 'StartingTimestamp must be given'],
  [{ StartingPosition: 'AT_TIMESTAMP', StartingTimestamp: 2e9 }, 'in the future'],
  [{ StartingTimestamp: 5 }, 'AT_TIMESTAMP only'],
  [{ Consumer: 'x' }, 'there is no Consumer'],
])('%o is refused', (special, reason) => {
  expect(() => create(special)).toThrow(ConfigurationError)
  expect(() => create(special)).toThrow(reason)
  expect(() => create(special)).not.toThrow('secret')
})
