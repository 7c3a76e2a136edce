import { expect, test } from 'vitest'
import { kplAggregate } from '../../../test/fakes/kpl-aggregate.ts'
import type { KinesisRecord, Shard } from './kinesis-service.ts'
import { sourceRecords } from './shard-records.ts'

const SHARD_ID = 'shardId-000000000000'
const WHOLE: Shard = {
  shardId: SHARD_ID,
  parents: [],
  hashKeys: { first: 0n, last: 2n ** 128n },
  isClosed: false,
}
/** MD5 of `one` is 0xf97c…, that of `three` 0x35d6…. */
const LOWER_HALF: Shard = { ...WHOLE, hashKeys: { first: 0n, last: 2n ** 127n - 1n } }

function record(data: Buffer | string): KinesisRecord {
  return { data: Buffer.from(data), sequenceNumber: '49', partitionKey: 'whole', arrivedAtMs: 7 }
}

function texts(shard: Shard, from: KinesisRecord): string[] {
  return [...sourceRecords(shard, from, false)].map(({ data }) => data.toString())
}

test('a record is taken as it is', () => {
  const plain = record('plain')
  expect([...sourceRecords(WHOLE, plain, false)]).toEqual([{ data: plain.data, position: '49' }])
})

test('an aggregate is taken apart, and its parts are told apart', () => {
  const aggregate = kplAggregate([
    { data: 'a', partitionKey: 'one' },
    { data: 'b', partitionKey: 'two' },
  ])
  const told = { shardId: SHARD_ID, sequenceNumber: '49', approximateArrivalTimestamp: 7 }
  const part = (text: string, partitionKey: string, subsequenceNumber: number): object => ({
    data: Buffer.from(text),
    position: '49',
    metadata: { kinesisRecordMetadata: { ...told, partitionKey, subsequenceNumber } },
  })
  expect([...sourceRecords(WHOLE, record(aggregate), true)]).toEqual([
    part('a', 'one', 0),
    part('b', 'two', 1),
  ])
})

test('a record that is damaged as an aggregate is one record, as for the client library', () => {
  const aggregate = kplAggregate([{ data: 'a', partitionKey: 'one' }])
  aggregate[5]! ^= 1
  expect(texts(WHOLE, record(aggregate))).toEqual([aggregate.toString()])
})

test('records of keys that belong to another shard are dropped: their sender sends them anew', () => {
  const aggregate = kplAggregate([
    { data: 'stray', partitionKey: 'one' },
    { data: 'ours', partitionKey: 'three' },
    { data: 'ours by its own word', partitionKey: 'one', explicitHashKey: '5' },
    { data: 'stray by its own word', partitionKey: 'three', explicitHashKey: String(2n ** 127n) },
    { data: 'ours, for its word is none', partitionKey: 'three', explicitHashKey: 'x' },
  ])
  expect(texts(LOWER_HALF, record(aggregate))).toEqual([
    'ours',
    'ours by its own word',
    'ours, for its word is none',
  ])
})
