/** What a function is told of records that were read from a Kinesis stream, from the source to the module. */
import { afterAll, expect, test } from 'vitest'
import type { TransformationEvent } from '../../src/functions.ts'
import { available } from '../clients/available.ts'
import { kinesisArn, KinesisStream, startKinesis } from '../servers/kinesis.ts'
import { eventually } from './harness.ts'
import {
  deliveredText,
  lambda,
  processing,
  ProcessingService,
  ROLE,
  s3Configuration,
} from './processing-service.ts'

const kinesis = await startKinesis()
afterAll(async () => kinesis?.[Symbol.asyncDispose]())

test.runIf(available('npm, for kinesalite', kinesis !== undefined))(
  'a function is told which stream a record is from, and where in it that was',
  async () => {
    const { client, endpoint } = kinesis!
    const keys = { accessKeyId: 'test', secretAccessKey: 'test' }
    const connections = [{ url: kinesisArn('clicks'), endpoint, ...keys }]
    await using standpipe = await ProcessingService.start(
      {},
      { STANDPIPE_CONNECTIONS: JSON.stringify(connections) },
    )
    await standpipe.writeFunction(
      'witness.mjs',
      `import { appendFileSync } from 'node:fs'
       export const handler = async (event) => {
         appendFileSync(${JSON.stringify(standpipe.notePath('event'))}, JSON.stringify(event) + '\\n')
         return { records: event.records.map((record) => ({ ...record, result: 'Ok' })) }
       }`,
    )
    const stream = await KinesisStream.create(client, 'clicks', 1)
    await standpipe.createStream({
      DeliveryStreamName: 'told',
      DeliveryStreamType: 'KinesisStreamAsSource',
      KinesisStreamSourceConfiguration: { KinesisStreamARN: kinesisArn('clicks'), RoleARN: ROLE },
      ExtendedS3DestinationConfiguration: s3Configuration('told', {
        BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
        ...processing(lambda('witness')),
      }),
    })
    await stream.put(['a:1\n', 'b:2\n'])
    await eventually('both are read', 30_000, async () => {
      const { accepted } = await standpipe.books('told')
      return accepted >= 2 || undefined
    })
    expect(await standpipe.settled('told')).toMatchObject({ accepted: 2, delivered: 2 })
    expect(
      deliveredText(await standpipe.objects('told'))
        .split('\n')
        .toSorted(),
    ).toEqual(['', 'a:1', 'b:2'])

    const events = (await standpipe.noteLines('event')).map(
      (line) => JSON.parse(line) as TransformationEvent,
    )
    for (const event of events) {
      expect(event).toMatchObject({
        deliveryStreamArn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/told',
        sourceKinesisStreamArn: kinesisArn('clicks'),
        region: 'us-east-1',
      })
    }
    const records = events.flatMap((event) => event.records)
    expect(records).toEqual(
      ['a', 'b'].map((partitionKey, index) => ({
        recordId: expect.any(String),
        approximateArrivalTimestamp: expect.any(Number),
        data: Buffer.from(`${partitionKey}:${index + 1}\n`).toString('base64'),
        kinesisRecordMetadata: {
          shardId: 'shardId-000000000000',
          partitionKey,
          sequenceNumber: expect.stringMatching(/^\d+$/),
          subsequenceNumber: 0,
          approximateArrivalTimestamp: expect.any(Number),
        },
      })),
    )
  },
)
