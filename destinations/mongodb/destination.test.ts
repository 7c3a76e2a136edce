import { expect, test } from 'vitest'
import { contextWith, DeliveredBatch, streamTo } from '../../test/fakes/delivered-batch.ts'
import { createConfiguration } from './configuration.ts'
import { mongoDB } from './index.ts'

const stream = streamTo(
  'MongoDB',
  createConfiguration(
    {
      ConnectionString: 'mongodb://nowhere/',
      DatabaseName: 'events',
      CollectionName: 'clicks',
      S3Configuration: {
        RoleARN: 'arn:aws:iam::000000000000:role/firehose',
        BucketARN: 'arn:aws:s3:::errors',
      },
    },
    { strictAws: false, objectStoreKind: 'folder' },
  ),
)
const destination = mongoDB.open(contextWith())

function documents(recordCount: number, from: number, to: number) {
  const target = { database: 'events', collection: 'clicks' }
  return { kind: 'documents', target, accounting: 'delivered', recordCount, range: { from, to } }
}

test('a batch is divided by size, and what is missing leaves a gap', async () => {
  const large = 'x'.repeat(1024 * 1024)
  const chunks = [[large, large, large], { lost: 2 }, [large, 'small']]
  expect(await new DeliveredBatch(destination, stream, chunks).encode()).toEqual([
    documents(4, 0, 6),
    documents(1, 6, 7),
  ])
})

test('a frozen batch is divided as it was, whatever is missing since', async () => {
  const frozen = await new DeliveredBatch(destination, stream, [['a', 'b'], ['c']]).encode()
  expect(frozen).toEqual([documents(3, 0, 3)])
  const damaged = new DeliveredBatch(destination, stream, [['a', 'b'], { lost: 1 }])
  expect(await damaged.encode(frozen)).toEqual([documents(2, 0, 3)])
})

test('a batch that lost all its records has no outputs', async () => {
  expect(await new DeliveredBatch(destination, stream, [{ lost: 3 }]).encode()).toEqual([])
})

test('records go to the error output after their retry duration, never doubled', () => {
  expect(destination.failurePolicy?.(stream)).toMatchObject({
    retryDurationMs: 300_000,
    atLeastOnce: false,
    errorOutputType: 'mongodb-failed',
  })
})
