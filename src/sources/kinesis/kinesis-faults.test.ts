/** What a real Kinesis does now and then, by a fake that does it on demand; and enhanced fan-out. */
import { expect, test } from 'vitest'
import { kplAggregate } from '../../../test/fakes/kpl-aggregate.ts'
import { kinesisDelivery, readKinesis } from '../../../test/fakes/kinesis-reading.ts'
import { FakeKinesis } from '../../../test/fakes/kinesis-server.ts'
import { FakeSourceHost, FakeTakeover } from '../../../test/fakes/source-host.ts'

const ARN = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'
const FAN_OUT = { StartingPosition: 'TRIM_HORIZON', EnhancedFanOutConsumerName: 'standpipe' }
const POLLING = { StartingPosition: 'TRIM_HORIZON' }
const BOTH = [
  ['polling', POLLING],
  ['enhanced fan-out', FAN_OUT],
] as const

async function kinesisWith(...texts: readonly string[]): Promise<FakeKinesis> {
  const kinesis = await FakeKinesis.start()
  kinesis.addShard('s0')
  kinesis.put('s0', texts)
  return kinesis
}

function texts({ records }: FakeTakeover): string[] {
  return records.map(({ data }) => data.toString())
}

test.each([
  ['GetRecords', 'ProvisionedThroughputExceededException'],
  ['GetShardIterator', 'ProvisionedThroughputExceededException'],
  ['GetRecords', 'LimitExceededException'],
])('%s that is refused with %s is counted and repeated', async (operation, exception) => {
  await using kinesis = await kinesisWith('a')
  kinesis.refuse(operation, exception, 3)
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  expect(host.throttledOperations).toEqual([operation, operation, operation])
  expect(host.failures).toEqual([])
})

test('an iterator that has expired is replaced, and no record is read twice', async () => {
  await using kinesis = await kinesisWith('a')
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  kinesis.refuse('GetRecords', 'ExpiredIteratorException')
  await expect.poll(() => kinesis.countOf('GetShardIterator')).toBe(2)
  kinesis.put('s0', ['b'])
  await host.until(() => takeover.records.length >= 2)
  expect(texts(takeover)).toEqual(['a', 'b'])
  expect(host.failures).toEqual([])
})

test('no permission to read a shard is shown, and mended without a restart', async () => {
  await using kinesis = await kinesisWith('a')
  kinesis.refuse('GetRecords', 'AccessDeniedException', 2)
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  expect(host.failures.map(({ error, partition }) => [error.errorCode, partition])).toEqual([
    ['Kinesis.AccessDenied', 's0'],
    ['Kinesis.AccessDenied', 's0'],
  ])
})

test('a server that is gone fails the source', async () => {
  const kinesis = await kinesisWith()
  const { endpoint } = kinesis
  await kinesis[Symbol.asyncDispose]()
  const reading = readKinesis(endpoint, new FakeSourceHost(kinesisDelivery(ARN)))
  await expect(reading.run).rejects.toMatchObject({ errorCode: 'Kinesis.ConnectionFailed' })
})

test.each(BOTH)('by %s, records that went while nobody read are a gap', async (_name, special) => {
  await using kinesis = await kinesisWith('a', 'b')
  const takeover = new FakeTakeover()
  takeover.positions.set('s0', { sequence: 1, position: '1' })
  const past = new FakeSourceHost(kinesisDelivery(ARN, special), takeover)
  const reading = readKinesis(kinesis.endpoint, past)
  await past.until(() => takeover.records.length === 1)
  await reading.stop()
  expect([texts(takeover), past.gaps]).toEqual([['b'], []])

  kinesis.put('s0', ['c', 'd'], Date.now() - 1_000)
  kinesis.trim('s0', 3)
  const host = new FakeSourceHost(kinesisDelivery(ARN, special), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 2)
  expect(texts(takeover)).toEqual(['b', 'd'])
  expect(host.gaps).toMatchObject([{ partition: 's0', lostCount: undefined }])
})

test('a last record that went, and nothing after it, is no gap', async () => {
  await using kinesis = await kinesisWith('a')
  const takeover = new FakeTakeover()
  takeover.positions.set('s0', { sequence: 1, position: '1' })
  kinesis.trim('s0', 1)
  const host = new FakeSourceHost(kinesisDelivery(ARN), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => host.progressOf.has('s0'))
  kinesis.put('s0', ['b'])
  await host.until(() => takeover.records.length === 1)
  expect(host.gaps).toEqual([])
})

test('a shard that is gone before it was read to its end is a gap, and read no more', async () => {
  await using kinesis = await kinesisWith('a')
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  kinesis.addShard('s1')
  kinesis.refuse('GetRecords', 'ResourceNotFoundException', 1_000)
  kinesis.removeShard('s0')
  await host.until(() => host.gaps.length > 0)
  expect(host.gaps.map(({ partition }) => partition)).toEqual(['s0'])
})

test.each(BOTH)('by %s, children are read after their parent', async (_name, special) => {
  await using kinesis = await kinesisWith('a')
  kinesis.addShard('s1', 's0')
  kinesis.put('s1', ['c'])
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN, special), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  kinesis.put('s0', ['b'])
  kinesis.close('s0')
  await host.until(() => takeover.records.length === 3)
  expect(texts(takeover)).toEqual(['a', 'b', 'c'])
  await host.until(() => [...host.progressOf.keys()].join() === 's1')
})

test('what was aggregated is taken as a whole where a server tells no ranges of keys', async () => {
  await using kinesis = await kinesisWith()
  kinesis.tellsHashKeys = false
  const parts = ['a', 'b', 'c'].map((data) => ({ data, partitionKey: data }))
  kinesis.put('s0', [kplAggregate(parts)])
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length > 0)
  expect(texts(takeover)).toEqual(['a', 'b', 'c'])
})

test('a child whose parent was never read from is read from the beginning that was asked for', async () => {
  await using kinesis = await kinesisWith()
  kinesis.close('s0')
  kinesis.addShard('s1', 's0')
  kinesis.put('s1', ['old'], 1_000_000)
  kinesis.put('s1', ['new'], 2_000_000)
  const takeover = new FakeTakeover()
  const special = { StartingPosition: 'AT_TIMESTAMP', StartingTimestamp: 1_500 }
  const host = new FakeSourceHost(kinesisDelivery(ARN, special), takeover)
  await using _reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  expect(texts(takeover)).toEqual(['new'])
})

test('the consumer is registered once, and subscriptions go on where they ended', async () => {
  await using kinesis = await kinesisWith('a')
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(ARN, FAN_OUT), takeover)
  const reading = readKinesis(kinesis.endpoint, host)
  await host.until(() => takeover.records.length === 1)
  kinesis.endSubscriptions()
  kinesis.put('s0', ['b'])
  await host.until(() => takeover.records.length === 2)
  kinesis.failSubscriptions('InternalFailureException')
  kinesis.put('s0', ['c'])
  await host.until(() => takeover.records.length === 3)
  kinesis.breakConnections()
  kinesis.put('s0', ['d'])
  await host.until(() => takeover.records.length === 4)
  kinesis.refuse('SubscribeToShard', 'ResourceInUseException')
  kinesis.endSubscriptions()
  kinesis.put('s0', ['e'])
  await host.until(() => takeover.records.length === 5)
  expect(texts(takeover)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(kinesis.countOf('RegisterStreamConsumer')).toBe(1)
  expect(kinesis.countOf('GetRecords')).toBe(0)
  expect(host.throttledOperations).toEqual(['SubscribeToShard'])
  await reading.stop()
  await expect.poll(() => kinesis.subscriptionCount).toBe(0)
})
