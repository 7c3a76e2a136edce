import { expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { DestinationType } from '../../destination.ts'
import type { SourceType } from '../../source.ts'
import type { ApiContext } from '../context.ts'
import { createStream } from './create-delivery-stream.ts'

const destination = {
  name: 'Fake',
  configurationMembers: ['FakeDestinationConfiguration'],
  create: (_member, configuration) => configuration,
} as Partial<DestinationType> as DestinationType

const source = {
  name: 'KinesisStreamAsSource',
  configurationMember: 'FakeSourceConfiguration',
  create: (configuration, createdAtMs) => ({ ...configuration, from: createdAtMs }),
} as Partial<SourceType> as SourceType

function contextWith(streamCount: number): ApiContext {
  return {
    accountId: '123456789012',
    region: 'eu-west-1',
    destinations: new Map([['Fake', destination]]),
    sources: new Map([[source.name, source]]),
    configuration: { strictAws: false, objectStoreKind: 'folder' },
    registry: {
      find: () => undefined,
      list: () => Array.from({ length: streamCount }),
      create: () => Promise.resolve(),
    },
    checkProcessing: () => Promise.resolve(),
    clock: { ...systemClock, nowMs: () => 1_000 },
  } as unknown as ApiContext
}

test('a destination of the table needs no more than its members to be created', async () => {
  const input = { DeliveryStreamName: 'logs', FakeDestinationConfiguration: { a: 1 } }
  expect(await createStream(input, contextWith(4_999))).toMatchObject({
    arn: 'arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs',
    destinationType: 'Fake',
    destination: { a: 1 },
  })
})

test('a source of the table needs no more either, and is told when the stream was created', async () => {
  const input = {
    DeliveryStreamName: 'logs',
    DeliveryStreamType: 'KinesisStreamAsSource',
    FakeSourceConfiguration: { shards: 2 },
    FakeDestinationConfiguration: {},
  }
  expect(await createStream(input, contextWith(0))).toMatchObject({
    type: 'KinesisStreamAsSource',
    source: { shards: 2, from: 1_000 },
    createdAtMs: 1_000,
  })
})

test('the 5,001st stream is refused', async () => {
  const input = { DeliveryStreamName: 'logs', FakeDestinationConfiguration: {} }
  await expect(createStream(input, contextWith(5_000))).rejects.toMatchObject({
    type: 'LimitExceededException',
  })
})
