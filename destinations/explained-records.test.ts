/** What each destination says that records would be, out of the functions that deliver them. */
import { expect, test } from 'vitest'
import type { JsonObject } from '../src/base/json.ts'
import type { EncodedOutput, ExplainedRecords } from '../src/destination.ts'
import { encodeRecordId } from '../src/record.ts'
import { contextWith } from '../test/fakes/delivered-batch.ts'
import { batchOf, encodeByHand, explainJob, streamOf } from '../test/fakes/hand-delivery.ts'
import type { HandBatch } from '../test/fakes/hand-delivery.ts'
import { destinationTypes } from './index.ts'

const RoleARN = 'arn:aws:iam::000000000000:role/delivery'
const S3Configuration = { RoleARN, BucketARN: 'arn:aws:s3:::failed' }

interface Explained {
  readonly output: EncodedOutput
  readonly batch: HandBatch
  readonly explained: ExplainedRecords | undefined
}

/** Of the output that counts as delivered. */
async function explain(
  typeName: string,
  members: JsonObject,
  records: readonly (string | Buffer)[],
): Promise<Explained> {
  const type = destinationTypes.get(typeName)!
  const [member = ''] = type.configurationMembers
  const configuration = type.create(
    member,
    { RoleARN, S3Configuration, ...members },
    { strictAws: false, objectStoreKind: 's3' },
  )
  const destination = type.open(contextWith())
  const stream = streamOf(type, configuration)
  const batch = batchOf(records)
  const outputs = await encodeByHand(destination, stream, batch)
  const output = outputs.find(({ accounting }) => accounting === 'delivered')!
  try {
    return {
      batch,
      output,
      explained: await destination.explain?.(explainJob(output, stream, batch)),
    }
  } finally {
    await destination.close()
  }
}

/** With bytes as text. */
function shown({ explained }: Explained) {
  return {
    items: explained?.items.map(({ data, ...item }) => ({ ...item, text: data?.toString() })),
    refused: explained?.refused.map(({ ordinal, errorCode }) => [ordinal, errorCode]),
  }
}

const SEARCH = {
  ClusterEndpoint: 'http://127.0.0.1:9',
  IndexName: 'logs',
  IndexRotationPeriod: 'OneDay',
}

test('OpenSearch: the document as it is, its index and its id', async () => {
  const records = ['{"n": 12345678901234567890}\n', 'no JSON', '{"é":1}']
  const explained = await explain('AmazonOpenSearchService', SEARCH, records)
  const idOf = (ordinal: number) => encodeRecordId(explained.batch.batch.batchId, ordinal)
  expect(shown(explained)).toEqual({
    items: [
      {
        ordinal: 0,
        item: { _index: 'logs-2026-11-21', _id: idOf(0) },
        text: '{"n": 12345678901234567890}',
      },
      { ordinal: 2, item: { _index: 'logs-2026-11-21', _id: idOf(2) }, text: '{"é":1}' },
    ],
    refused: [[1, '400']],
  })
})

test('OpenSearch: an id that the server draws is not made up', async () => {
  const members = {
    ...SEARCH,
    DocumentIdOptions: { DefaultDocumentIdFormat: 'NO_DOCUMENT_ID' },
  }
  const explained = await explain('AmazonOpenSearchService', members, ['{}'])
  expect(shown(explained)).toEqual({
    items: [
      { ordinal: 0, item: { _index: 'logs-2026-11-21', _id: 'drawn by the server' }, text: '{}' },
    ],
    refused: [],
  })
})

test('Elasticsearch: the type is told, too', async () => {
  const explained = await explain('Elasticsearch', { ...SEARCH, TypeName: 'event' }, ['{}'])
  expect(explained.explained?.items[0]?.item).toMatchObject({ _type: 'event' })
})

test('MongoDB: the document with the types of its values', async () => {
  const members = {
    ConnectionString: 'mongodb://127.0.0.1:9/',
    DatabaseName: 'd',
    CollectionName: 'c',
  }
  const own = '{"_id":{"$oid":"0123456789abcdef01234567"},"at":{"$date":"2026-01-31T00:00:00Z"}}'
  const explained = await explain('MongoDB', members, ['{"n":9007199254740993,"m":1}', '[1]', own])
  const _id = encodeRecordId(explained.batch.batch.batchId, 0)
  expect(shown(explained)).toEqual({
    items: [
      {
        ordinal: 0,
        item: { _id },
        text: `{"_id":"${_id}","n":{"$numberLong":"9007199254740993"},"m":{"$numberInt":"1"}}`,
      },
      {
        ordinal: 2,
        item: { _id: { $oid: '0123456789abcdef01234567' } },
        text: '{"_id":{"$oid":"0123456789abcdef01234567"},"at":{"$date":{"$numberLong":"1769817600000"}}}',
      },
    ],
    refused: [[1, 'MongoDB.InvalidRecord']],
  })
})

test.each(['Raw', 'Event'])('Splunk, %s: the text of each record', async (HECEndpointType) => {
  const members = { HECEndpoint: 'http://127.0.0.1:9', HECEndpointType, HECToken: 'SESAME' }
  const explained = await explain('Splunk', members, ['a', Buffer.from([0xff]), ''])
  const item = { endpointType: HECEndpointType }
  expect(explained.explained).toEqual({
    items: [
      { ordinal: 0, item, data: Buffer.from('a') },
      { ordinal: 1, item, data: Buffer.from([0xff]) },
      { ordinal: 2, item, data: Buffer.alloc(0) },
    ],
    refused: [],
  })
})

test('Redshift: what COPY would read, and into what; the cluster is not asked', async () => {
  const members = {
    ClusterJDBCURL: 'jdbc:redshift://127.0.0.1:9/db',
    Username: 'u',
    Password: 'secret-word',
    CopyCommand: {
      DataTableName: 'public.events',
      DataTableColumns: 'id, name',
      CopyOptions: "JSON 'auto'",
    },
  }
  expect(shown(await explain('Redshift', members, ['{"id":1}']))).toEqual({
    items: [
      {
        ordinal: 0,
        item: { table: 'public.events', columns: ['id', 'name'] },
        text: '{"id":1}',
      },
    ],
    refused: [],
  })
})

test('Postgres: without the database no row can be told', async () => {
  const members = {
    ClusterJDBCURL: 'jdbc:postgresql://127.0.0.1:9/db',
    Username: 'u',
    Password: 'secret-word',
    CopyCommand: { DataTableName: 'events' },
  }
  await expect(explain('Redshift', members, ['1'])).rejects.toMatchObject({
    name: 'DeliveryError',
    errorCode: 'Redshift.ConnectionFailed',
    message: expect.stringMatching(/^Cannot connect to the database: .*ECONNREFUSED/) as string,
  })
})

test.each([
  ['HttpEndpoint', {}, undefined],
  ['HttpEndpoint', { RequestConfiguration: { ContentEncoding: 'GZIP' } }, 'GZIP'],
  ['ExtendedS3', {}, undefined],
  ['ExtendedS3', { CompressionFormat: 'Snappy' }, 'Snappy'],
])('%s, %o: the bytes of the output say it all', async (type, members, contentFormat) => {
  const configuration = {
    ...(type === 'ExtendedS3' && { BucketARN: 'arn:aws:s3:::logs' }),
    ...(type === 'HttpEndpoint' && { EndpointConfiguration: { Url: 'http://127.0.0.1:9/' } }),
    ...members,
  }
  const { output, explained } = await explain(type, configuration, ['a'])
  expect({ explained, contentFormat: output.contentFormat }).toEqual({
    explained: undefined,
    contentFormat,
  })
})
