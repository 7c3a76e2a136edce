import { expect, test } from 'vitest'
import type { JsonObject } from '../../base/json.ts'
import {
  createConfiguration,
  describeConfiguration,
  readConfiguration,
  streamPlace,
} from './configuration.ts'

const KinesisStreamARN = 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks'
const RoleARN = 'arn:aws:iam::123456789012:role/firehose'
const AWS = { KinesisStreamARN, RoleARN }
const CREATED_MS = 1_700_000_000_500

function create(special: JsonObject): JsonObject {
  return createConfiguration({ ...AWS, ...special }, CREATED_MS)
}

test.each([{}, { StartingPosition: 'LATEST' }])(
  '%o begins at the creation, as AWS does',
  (special) => {
    const stored = create(special)
    expect(stored).toEqual({
      ...AWS,
      StartingPosition: 'AT_TIMESTAMP',
      StartingTimestamp: 1_700_000_000.5,
    })
    expect(readConfiguration(stored)).toEqual({
      streamArn: KinesisStreamARN,
      beginning: { type: 'AT_TIMESTAMP', atMs: CREATED_MS },
      consumerName: undefined,
    })
    expect(describeConfiguration(stored)).toEqual({
      KinesisStreamSourceDescription: { ...AWS, DeliveryStartTimestamp: 1_700_000_000.5 },
    })
  },
)

test('all that a stream still has can be read, by enhanced fan-out too', () => {
  const special = { StartingPosition: 'TRIM_HORIZON', EnhancedFanOutConsumerName: 'standpipe' }
  const stored = create(special)
  expect(stored).toEqual({ ...AWS, ...special })
  expect(readConfiguration(stored)).toEqual({
    streamArn: KinesisStreamARN,
    beginning: { type: 'TRIM_HORIZON' },
    consumerName: 'standpipe',
  })
  expect(describeConfiguration(stored)).toEqual({
    KinesisStreamSourceDescription: { ...AWS, ...special },
  })
})

test('reading may begin at an instant', () => {
  const stored = create({ StartingPosition: 'AT_TIMESTAMP', StartingTimestamp: 1_600_000_000 })
  expect(readConfiguration(stored).beginning).toEqual({
    type: 'AT_TIMESTAMP',
    atMs: 1_600_000_000_000,
  })
})

test.each([
  [{ KinesisStreamARN: 'arn:aws:sqs:eu-west-1:123456789012:clicks' }, /KinesisStreamARN must be/],
  [{ RoleARN: 'firehose' }, /RoleARN must be an ARN/],
  [{ StartingPosition: 'OLDEST' }, /StartingPosition must be/],
  [{ StartingPosition: 'AT_TIMESTAMP' }, /StartingTimestamp must be given/],
  [{ StartingTimestamp: 1 }, /goes with the StartingPosition AT_TIMESTAMP only/],
  [{ StartingPosition: 'AT_TIMESTAMP', StartingTimestamp: 1_800_000_000 }, /in the future/],
  [{ EnhancedFanOutConsumerName: 'a b' }, /EnhancedFanOutConsumerName must be/],
  [{ ShardCount: 2 }, /there is no ShardCount/],
])('%o is refused', (special, message) => {
  expect(() => create(special)).toThrow(message)
})

test('the region is that of the ARN', () => {
  expect(streamPlace(KinesisStreamARN)).toEqual({ region: 'eu-west-1', streamName: 'clicks' })
})
