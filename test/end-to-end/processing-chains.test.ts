/** Processors one after the other, in the set-ups that Firehose is used with. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { installOpenSearch, startOpenSearch } from '../servers/opensearch.ts'
import {
  deliveredText,
  eachRecord,
  errorRecords,
  lambda,
  processing,
  ProcessingService,
  processor,
  ROLE,
  s3Configuration,
} from './processing-service.ts'

let standpipe: ProcessingService
beforeAll(async () => {
  standpipe = await ProcessingService.start({
    'severe.mjs': eachRecord(`
      const lines = text.split('\\n').filter((line) => line.includes('ERROR'))
      return lines.length === 0 ? dropped : ok(lines.map((line) => line + '\\n').join(''))`),
    'scored.mjs': eachRecord('ok(JSON.stringify({ ...JSON.parse(text), score: text.length }))'),
  })
})
afterAll(async () => standpipe?.[Symbol.asyncDispose]())

/** As a subscription filter of CloudWatch Logs sends it. */
function envelope(messageType: string, ...messages: readonly string[]): Buffer {
  const id = '38012345678901234567890123456789012345678901234567890123'
  return gzipSync(
    JSON.stringify({
      messageType,
      owner: messageType === 'CONTROL_MESSAGE' ? 'CloudwatchLogs' : '123456789012',
      logGroup: messageType === 'CONTROL_MESSAGE' ? '' : '/aws/lambda/checkout',
      logStream: messageType === 'CONTROL_MESSAGE' ? '' : '2026/11/21/[$LATEST]0123456789abcdef',
      subscriptionFilters: messageType === 'CONTROL_MESSAGE' ? [] : ['to-firehose'],
      logEvents: messages.map((message, index) => ({
        id,
        timestamp: 1_795_286_400_000 + index,
        message,
      })),
    }),
  )
}

test('logs of CloudWatch are decompressed, their messages taken out and filtered', async () => {
  await standpipe.createS3Stream(
    'logs',
    processing(
      lambda('severe'),
      processor('CloudWatchLogProcessing', { DataMessageExtraction: 'true' }),
      processor('Decompression', { CompressionFormat: 'GZIP' }),
    ),
  )
  const records = [
    envelope('CONTROL_MESSAGE', 'CWL CONTROL MESSAGE: Checking health of destination Firehose.'),
    envelope('DATA_MESSAGE', 'START RequestId: 1', 'ERROR card é declined', 'END RequestId: 1'),
    envelope('DATA_MESSAGE', 'INFO all is well'),
    Buffer.from('no gzip'),
    gzipSync('no envelope'),
    envelope('DATA_MESSAGE', 'ERROR one', 'ERROR two'),
  ]
  const ids = await standpipe.put('logs', records)
  expect(await standpipe.settled('logs')).toMatchObject({
    accepted: 6,
    made: 0,
    delivered: 2,
    dropped: 2,
    errored: 2,
  })
  const objects = await standpipe.objects('logs')
  expect(deliveredText(objects)).toBe('ERROR card é declined\nERROR one\nERROR two\n')
  expect(errorRecords(objects, 'decompression-failed')).toEqual([
    {
      rawData: Buffer.from('no gzip').toString('base64'),
      errorCode: 'Decompression failed.',
      errorMessage: 'Cannot decompress the record: it is not gzip',
      attemptsMade: 1,
      arrivalTimestamp: expect.any(Number),
      attemptEndingTimestamp: expect.any(Number),
    },
  ])
  expect(errorRecords(objects, 'processing-failed')).toMatchObject([
    // As it was accepted, so that it can be put again.
    { rawData: records[4]?.toString('base64') },
  ])
  const states = await Promise.all(ids.map((id) => standpipe.whereabouts(id)))
  expect(states.map(({ state }) => state)).toEqual([
    'dropped',
    'delivered',
    'dropped',
    'errored',
    'errored',
    'delivered',
  ])
})

/** Objects that a producer has put one after the other into one record, to spare requests. */
const PACKED = [
  '{"id":1,"user":{"id":"ann"}}{"id":2,"user":{"id":"bob"}}\n {"id":3,"user":{"id":"ann"}}',
  '{"id":4,"user":{"id":"bob"}}',
  '{"id":5,"user":{}}',
  '{"id":6,',
]

test('records are taken apart, transformed, given keys, and delivered as lines by user', async () => {
  await standpipe.createS3Stream('events', {
    Prefix: 'data/user=!{partitionKeyFromQuery:user}/',
    DynamicPartitioningConfiguration: { Enabled: true },
    ...processing(
      processor('RecordDeAggregation', { SubRecordType: 'JSON' }),
      processor('MetadataExtraction', {
        MetadataExtractionQuery: '{user: .user.id}',
        JsonParsingEngine: 'JQ-1.6',
      }),
      lambda('scored'),
      processor('AppendDelimiterToRecord', { Delimiter: String.raw`\n` }),
    ),
  })
  await standpipe.put('events', PACKED)
  expect(await standpipe.settled('events')).toMatchObject({
    accepted: 4,
    made: 2,
    delivered: 4,
    errored: 2,
  })
  const objects = await standpipe.objects('events')
  expect(
    objects.map(({ key, bytes }) => [/^data\/(user=\w+)\//.exec(key)?.[1], bytes.toString()]),
  ).toEqual([
    [
      'user=ann',
      '{"id":1,"user":{"id":"ann"},"score":28}\n{"id":3,"user":{"id":"ann"},"score":28}',
    ],
    [
      'user=bob',
      '{"id":2,"user":{"id":"bob"},"score":28}\n{"id":4,"user":{"id":"bob"},"score":28}',
    ],
    [undefined, expect.any(String)],
  ])
  expect(errorRecords(objects, 'processing-failed')).toMatchObject([
    {
      rawData: Buffer.from('{"id":6,').toString('base64'),
      errorCode: 'RecordDeAggregation.MalformedJson',
    },
    {
      rawData: Buffer.from('{"id":5,"user":{}}').toString('base64'),
      errorCode: 'DynamicPartitioning.MetadataExtractionFailed',
    },
  ])
})

const SEARCH = 'JDK of version 17 or later and Maven, for OpenSearch'
test.runIf(available(SEARCH, await installOpenSearch()))(
  'what was packed into a record becomes documents of its own, with ids of their own',
  async () => {
    await using search = await startOpenSearch()
    await standpipe.createStream({
      DeliveryStreamName: 'documents',
      AmazonopensearchserviceDestinationConfiguration: {
        RoleARN: ROLE,
        ClusterEndpoint: search.endpoint,
        IndexName: 'documents',
        IndexRotationPeriod: 'NoRotation',
        BufferingHints: { SizeInMBs: 100, IntervalInSeconds: 900 },
        S3BackupMode: 'AllDocuments',
        S3Configuration: s3Configuration('documents', { Prefix: 'backup/' }),
        ...processing(
          processor('RecordDeAggregation', { SubRecordType: 'JSON' }),
          lambda('scored'),
        ),
      },
    })
    await standpipe.put('documents', PACKED)
    expect(await standpipe.settled('documents')).toMatchObject({
      accepted: 4,
      made: 2,
      delivered: 5,
      errored: 1,
    })
    const documents = await search.documents('documents')
    expect(documents.map(({ _source }) => Number(_source['id'])).toSorted((a, b) => a - b)).toEqual(
      [1, 2, 3, 4, 5],
    )
    expect(new Set(documents.map(({ _id }) => _id)).size).toBe(5)
    expect(documents.every(({ _source }) => typeof _source['score'] === 'number')).toBe(true)
    const objects = await standpipe.objects('documents')
    expect(objects.map(({ key }) => key.split('/')[0])).toEqual(['backup', 'errors'])
    expect(objects[0]?.bytes.toString()).toBe(PACKED.join(''))
  },
)

const duckDb = await import('@duckdb/node-api').catch(() => undefined)
test.runIf(available('DuckDB (@duckdb/node-api)', duckDb !== undefined))(
  'SQL makes rows of a batch, which are delivered as lines',
  async () => {
    await standpipe.createS3Stream(
      'totals',
      processing(
        {
          // An extension, which the SDK's types do not know.
          Type: 'SQL' as 'Lambda',
          Parameters: [
            {
              ParameterName: 'SqlQuery' as 'LambdaArn',
              ParameterValue:
                'SELECT customer, sum(amount) AS total FROM records GROUP BY customer ORDER BY customer',
            },
          ],
        },
        processor('AppendDelimiterToRecord'),
      ),
    )
    const records = [
      ['ann', 1],
      ['bob', 10],
      ['ann', 2],
      ['ann', 3],
    ].map(([customer, amount]) => JSON.stringify({ customer, amount }))
    await standpipe.put('totals', [...records, 'no JSON'])
    expect(await standpipe.settled('totals')).toMatchObject({
      accepted: 5,
      delivered: 2,
      dropped: 2,
      errored: 1,
    })
    const lines = deliveredText(await standpipe.objects('totals')).split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { customer: 'ann', total: 6 },
      { customer: 'bob', total: 10 },
    ])
  },
)
