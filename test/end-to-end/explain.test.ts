/** `explain` in the real process: what it tells comes true, and until then nothing has happened. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { freePort } from '../servers/process.ts'
import { installOpenSearch, startOpenSearch } from '../servers/opensearch.ts'
import { eventually } from './harness.ts'
import { configurationOf, postgres, required, Table } from './postgres-table.ts'
import {
  eachRecord,
  lambda,
  processing,
  ProcessingService,
  processor,
  ROLE,
} from './processing-service.ts'

const BIN = fileURLToPath(new URL('../../bin/standpipe.js', import.meta.url))
const TABLES = [
  { database: 'shop', table: 'orders', createTable: 'CREATE TABLE orders (id bigint, at date)' },
]
/** A function that notes each record that it is asked about. */
const routing = (notePath: string): string => `
  appendFileSync(${JSON.stringify(notePath)}, text + '\\n')
  if (text.includes('drop')) return dropped
  if (text.includes('fail')) return failed
  return ok(text.toUpperCase(), { partitionKeys: { zone: 'z1' } })`

interface Explained {
  readonly Stages: readonly (JsonObject & { readonly Records: readonly JsonObject[] })[]
  readonly Outputs: readonly ExplainedOutput[]
}
type ExplainedOutput = JsonObject & {
  readonly Kind: string
  readonly Target: JsonObject & { readonly key?: string }
  readonly Content?: { readonly Format: string; readonly Text?: string }
  readonly Records?: readonly JsonObject[]
}

let standpipe: ProcessingService
beforeAll(async () => {
  standpipe = await ProcessingService.start({}, { STANDPIPE_TABLES: JSON.stringify(TABLES) })
  await standpipe.writeFunction('route.ts', eachRecord(routing(standpipe.notePath('asked'))))
})
afterAll(async () => standpipe?.[Symbol.asyncDispose]())

async function post(streamName: string, record: string): Promise<{ status: number; body: Json }> {
  const url = `${standpipe.service.url}/streams/${streamName}/explain`
  const response = await fetch(url, { method: 'POST', body: record })
  return { status: response.status, body: (await response.json()) as Json }
}

/** An explanation that leaves nothing behind. */
async function explain(streamName: string, record: string): Promise<Explained> {
  const [files, counts] = await Promise.all([allFiles(), countsOf(streamName)])
  const { status, body } = await post(streamName, record)
  expect({ status, body }).toMatchObject({ status: 200 })
  expect((await allFiles()).filter((path) => !files.includes(path))).toEqual([])
  expect(await countsOf(streamName)).toEqual(counts)
  return body as unknown as Explained
}

/** Batches and buckets. */
async function allFiles(): Promise<readonly string[]> {
  const { dataDir } = standpipe.service
  const files = await readdir(dataDir, { recursive: true })
  return files.filter((path) => !path.startsWith('catalog'))
}

async function countsOf(streamName: string) {
  const metrics = await fetch(`${standpipe.service.url}/metrics`).then((answer) => answer.text())
  return {
    books: await standpipe.books(streamName),
    functions: (await standpipe.http.get('/functions')).body,
    metrics: metrics.split('\n').filter((line) => line.includes(`"${streamName}"`)),
  }
}

/** Without the time and the batch, which are of their own. */
function place(key: string | undefined): string | undefined {
  return key
    ?.replace(/\d{4}(?:\/\d\d){3}/, 'hour')
    .replace(/-\d{4}(?:-\d\d){5}-[\da-f-]{36}/, '-time-uuid')
}

test('S3: transformed, partitioned and compressed as it is told', async () => {
  await standpipe.createS3Stream('parts', {
    Prefix: 'data/!{partitionKeyFromLambda:zone}/!{partitionKeyFromQuery:id}/',
    CompressionFormat: 'GZIP',
    DynamicPartitioningConfiguration: { Enabled: true },
    ...processing(
      lambda('route'),
      processor('MetadataExtraction', {
        MetadataExtractionQuery: '{id: .ID}',
        JsonParsingEngine: 'JQ-1.6',
      }),
      processor('AppendDelimiterToRecord'),
    ),
  })
  const delivered = await explain('parts', '{"id":7,"name":"é"}')
  const text = '{"ID":7,"NAME":"É"}'
  expect(delivered).toMatchObject({
    Stages: [
      { Name: 'Lambda', Records: [{ Text: text, PartitionKeys: { Lambda: { zone: 'z1' } } }] },
      {
        Name: 'MetadataExtraction',
        Records: [{ PartitionKeys: { Query: { id: '7' }, Lambda: { zone: 'z1' } } }],
      },
      { Name: 'DynamicPartitioning', RecordCount: 1 },
    ],
    Outputs: [{ Kind: 's3', Accounting: 'delivered', Content: { Format: 'GZIP', Text: text } }],
  })
  const dropped = await explain('parts', '{"id":1,"do":"drop"}')
  expect(dropped).toMatchObject({
    Stages: [{ DroppedCount: 1, RecordCount: 0 }, {}, {}],
    Outputs: [],
  })
  const failed = await explain('parts', 'fail')
  expect(failed).toMatchObject({
    Stages: [{ Failures: [{ ErrorCode: 'Lambda.ProcessingFailedStatus' }] }, {}, {}],
    Outputs: [
      {
        Kind: 'processing-failed',
        Accounting: 'errored',
        Content: {
          Format: 'GZIP',
          Text: expect.stringContaining('"rawData":"ZmFpbA=="') as string,
        },
      },
    ],
  })
  const notJson = await explain('parts', 'no JSON')
  expect(notJson.Stages[1]).toMatchObject({ FailedCount: 1, RecordCount: 0 })

  await standpipe.put('parts', ['{"id":7,"name":"é"}', '{"id":1,"do":"drop"}', 'fail'])
  expect(await standpipe.settled('parts')).toMatchObject({ delivered: 1, dropped: 1, errored: 1 })
  const [object, errors] = await standpipe.objects('parts')
  const [told] = delivered.Outputs
  expect({ place: place(object?.key), text: gunzipSync(object!.bytes).toString() }).toEqual({
    place: place(told?.Target.key),
    text: told?.Content?.Text,
  })
  expect(place(errors?.key)).toBe(place(failed.Outputs[0]?.Target.key))
  const asked = await standpipe.noteLines('asked')
  expect(asked.filter((line) => line === 'fail')).toHaveLength(2)
})

test('Parquet: the rows that the file then has', async () => {
  await standpipe.createS3Stream('orders', {
    DataFormatConversionConfiguration: {
      SchemaConfiguration: { RoleARN: ROLE, DatabaseName: 'shop', TableName: 'orders' },
      InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
      OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
    },
  })
  const record = '{"id":12345678901234567,"at":"2026-11-21"}{"id":2}'
  const { Outputs } = await explain('orders', record)
  const rows = [
    { id: '12345678901234567', at: '2026-11-21' },
    { id: '2', at: null },
  ]
  expect(Outputs).toMatchObject([{ Content: { Format: 'PARQUET' }, Records: [{ Item: { rows } }] }])
  expect(Outputs[0]?.Content).toEqual({ Format: 'PARQUET' })
  const refused = await explain('orders', '{"id":"many"}')
  expect(refused.Stages).toMatchObject([
    {
      Name: 'DataFormatConversion',
      Failures: [{ ErrorCode: 'DataFormatConversion.MalformedData' }],
    },
  ])

  await standpipe.put('orders', [record])
  await standpipe.settled('orders')
  const [object] = await standpipe.objects('orders')
  const file = new Uint8Array(object!.bytes).buffer
  expect(place(object?.key)).toBe(place(Outputs[0]?.Target.key))
  expect(await parquetReadObjects({ file })).toEqual([
    { id: 12_345_678_901_234_567n, at: new Date('2026-11-21') },
    { id: 2n, at: null },
  ])
})

test('the command takes the record from a file or from standard input', async () => {
  await standpipe.createS3Stream('plain', {})
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const parameters = ['explain', '--stream', 'plain', '--record', '-']
  const environment = {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL_FIREHOSE: standpipe.service.url,
  }
  const child = execFile(
    process.execPath,
    [BIN, ...parameters],
    { env: environment },
    (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
  )
  child.stdin?.end('abc')
  const [first, second, ...others] = (await promise).trimEnd().split('\n')
  expect(first).toMatch(/^s3 \(delivered\): \{"bucket":"bucket-plain","key":"data\//)
  expect([second, ...others]).toEqual(['  3 bytes: "abc"'])
})

test('a function that hangs does not keep the service from ending', async () => {
  const hanging = eachRecord('appendFileSync(NOTE, text); await sleep(600_000); return ok(text)')
  await using other = await ProcessingService.start({})
  const note = JSON.stringify(other.notePath('asked'))
  await other.writeFunction('hang.ts', hanging.replace('NOTE', note))
  await other.createS3Stream('hanging', processing(lambda('hang')))
  const url = `${other.service.url}/streams/hanging/explain`
  const answer = fetch(url, { method: 'POST', body: 'asked\n' }).then((found) => found.status)
  await eventually('the function is asked', 10_000, async () => {
    return (await other.noteLines('asked')).length > 0 ? true : undefined
  })
  expect(await other.service.terminate()).toBe(0)
  expect(await answer).toBe(503)
})

describe.runIf(available('Postgres', postgres !== undefined))('Postgres', () => {
  test('the rows that the table then has', async () => {
    await using table = await Table.create(
      'id bigint, name varchar(3), seen timestamp, number bigint generated always as identity',
    )
    await createPostgresStream('rows', table.name, required(postgres).port)
    const explained = await explain('rows', '{"id":1,"name":"long","seen":"1700000000"}')
    const rows = [{ id: '1', name: 'lon', seen: '2023-11-14T22:13:20.000Z' }]
    expect(explained.Outputs.map(({ Kind }) => Kind)).toEqual(['s3-staging', 'postgres-copy'])
    expect(explained.Outputs[1]).toMatchObject({
      Target: { table: table.name },
      Records: [{ Item: { table: table.name, rows } }],
    })
    const refused = await explain('rows', '{"id":')
    expect(refused.Outputs[1]?.Records).toMatchObject([{ ErrorCode: '22032' }])
    expect(await table.rows('*')).toEqual([])

    await standpipe.put('rows', ['{"id":1,"name":"long","seen":"1700000000"}'])
    expect(await standpipe.settled('rows')).toMatchObject({ delivered: 1 })
    expect(
      await table.rows(`id::text, name, to_char(seen, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS seen`),
    ).toEqual(rows)
  })

  test('that are not told while the database, or the table, is missing', async () => {
    const port = await freePort()
    await createPostgresStream('down', 'nothing', port)
    expect(await post('down', '{}')).toMatchObject({
      status: 503,
      body: {
        __type: 'ServiceUnavailableException',
        message: `Cannot explain now: Redshift.ConnectionFailed: Cannot connect to the database: connect ECONNREFUSED 127.0.0.1:${port}`,
      },
    })
    await createPostgresStream('tableless', 'nothing', required(postgres).port)
    expect(await post('tableless', '{}')).toMatchObject({
      status: 503,
      body: {
        message:
          'Cannot explain now: Redshift.TableNotFound: Cannot look at nothing: relation "nothing" does not exist',
      },
    })
  })
})

async function createPostgresStream(name: string, DataTableName: string, port: number) {
  const { S3Configuration, ...base } = configurationOf({ ...required(postgres), port })
  await standpipe.createStream({
    DeliveryStreamName: name,
    RedshiftDestinationConfiguration: {
      ...base,
      S3Configuration: {
        ...S3Configuration,
        BufferingHints: { IntervalInSeconds: 900, SizeInMBs: 128 },
      },
      CopyCommand: {
        DataTableName,
        CopyOptions: "JSON 'auto' TRUNCATECOLUMNS TIMEFORMAT 'epochsecs'",
      },
    },
  })
}

const SEARCH = 'JDK of version 17 or later and Maven, for OpenSearch'

describe.runIf(available(SEARCH, await installOpenSearch()))('OpenSearch', () => {
  test('the document that the index then has', async () => {
    await using server = await startOpenSearch()
    await standpipe.createStream({
      DeliveryStreamName: 'documents',
      AmazonopensearchserviceDestinationConfiguration: {
        RoleARN: ROLE,
        ClusterEndpoint: server.endpoint,
        IndexName: 'documents',
        IndexRotationPeriod: 'NoRotation',
        BufferingHints: { SizeInMBs: 100, IntervalInSeconds: 900 },
        S3Configuration: { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::bucket-documents' },
      },
    })
    const { Outputs } = await explain('documents', '{"a":1}\n')
    expect(Outputs).toMatchObject([
      {
        Kind: 'documents',
        Records: [
          { Item: { _index: 'documents', _id: expect.any(String) as string }, Text: '{"a":1}' },
        ],
      },
    ])
    const refused = await explain('documents', '[1]')
    expect(refused.Outputs[0]?.Records).toMatchObject([{ ErrorCode: '400' }])
    expect(await server.call('GET', '/_cat/indices/documents?format=json')).toMatchObject({
      status: 404,
    })

    const [recordId = ''] = await standpipe.put('documents', ['{"a":1}\n'])
    await standpipe.settled('documents')
    expect(await server.documents('documents')).toMatchObject([
      { _index: 'documents', _id: recordId, _source: { a: 1 } },
    ])
    const told = Outputs[0]?.Records?.[0]?.['Item'] as { _id: string }
    expect(told._id).toHaveLength(recordId.length)
  })
})
