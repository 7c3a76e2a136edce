/**
 * Vector's `aws_kinesis_firehose` sink by its calls, which it makes with the AWS SDK for Rust: the
 * program can not be had here. Its health check describes the stream with a limit of one and compares
 * the name; it puts up to 500 events and 4 MiB, counted in base64, without anything between them, and
 * takes no notice of single records that were refused.
 */
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { compiledClientsWanted, rustSdk } from '../clients/compiled.ts'
import { javascriptSdk } from '../clients/javascript.ts'
import { declaredStreams, delivered } from '../producers/service.ts'
import { Service } from './harness.ts'

const KEY = { accessKeyId: 'AKIDVECTOR', secretAccessKey: 'vector secret' }
const REQUEST_BYTES_MAX = 4 * 1024 * 1024

const installed = await Promise.all(
  [javascriptSdk, ...(compiledClientsWanted ? [rustSdk] : [])].map(async (kind) => ({
    name: kind.name,
    open: await kind.install(),
  })),
)

const present = installed.filter(({ name, open }) => available(name, open !== undefined))

test.for(present)('the sink through $name', async ({ open }) => {
  await using service = await Service.start({
    environment: {
      STANDPIPE_ACCESS_KEYS: `${KEY.accessKeyId}:${KEY.secretAccessKey}`,
      ...declaredStreams('logs'),
    },
  })
  await using caller = open!({ url: service.url, ...KEY })
  const health = { DeliveryStreamName: 'logs', Limit: 1 }
  expect(await caller.call('DescribeDeliveryStream', health)).toMatchObject({
    output: { DeliveryStreamDescription: { DeliveryStreamName: 'logs' } },
  })
  expect(
    await caller.call('DescribeDeliveryStream', { ...health, DeliveryStreamName: 'nowhere' }),
  ).toMatchObject({ errorType: 'ResourceNotFoundException' })

  // As large as its batches get: 500 events that fill 4 MiB of base64, and their quotes and commas.
  const dataBytes = Math.floor(REQUEST_BYTES_MAX / 500 / 4) * 3
  const events = Array.from({ length: 500 }, (_, index) =>
    JSON.stringify({ index, message: '' }).padEnd(dataBytes, ' '),
  )
  const batch = { DeliveryStreamName: 'logs', Records: events.map((Data) => ({ Data })) }
  expect(await caller.call('PutRecordBatch', batch)).toMatchObject({
    output: { FailedPutCount: 0 },
  })
  const text = events.join('')
  expect((await delivered(service, 'logs', text)) === text).toBe(true)
})
