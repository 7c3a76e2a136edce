/** The commands against a server that only writes down what it is asked. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { fakeService, run } from '../../test/fakes/service-before-commands.ts'
import type { Answer, Call } from '../../test/fakes/service-before-commands.ts'
import type { JsonObject } from '../base/json.ts'
import { put } from './put.ts'
import { receipt } from './receipt.ts'
import { replay } from './replay.ts'
import { streams } from './streams.ts'

const printed: string[] = []
vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
  printed.push(String(text))
  return true
})
vi.spyOn(process.stderr, 'write').mockReturnValue(true)
afterEach(() => {
  printed.length = 0
})

function fileOf(content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'standpipe-put-')), 'input')
  writeFileSync(path, content)
  return path
}

function dataOf({ body }: Call): string[] {
  const records = body['Records'] as { Data: string }[]
  return records.map(({ Data }) => Buffer.from(Data, 'base64').toString())
}

const accepted: Answer = (call) => ({
  body: {
    FailedPutCount: 0,
    RequestResponses: dataOf(call).map((data) => ({ RecordId: `id-${data}` })),
  },
})

test('put sends lines in batches of at most 500', async () => {
  await using service = await fakeService(accepted)
  const lines = Array.from({ length: 1001 }, (_, index) => `line ${index}`)
  expect(await run(put, service.url, ['logs', fileOf(lines.join('\n'))])).toBe(0)
  expect(service.calls.map((call) => dataOf(call).length)).toEqual([500, 500, 1])
  expect(service.calls.flatMap(dataOf)).toEqual(lines)
})

test('put keeps a batch within 4 MiB', async () => {
  await using service = await fakeService(accepted)
  const line = 'x'.repeat(1_000_000)
  await run(put, service.url, ['logs', fileOf(`${line}\n`.repeat(5))])
  expect(service.calls.map((call) => dataOf(call).length)).toEqual([4, 1])
})

test('put sends only the refused records again, and gives their ids in order', async () => {
  let attempts = 0
  await using service = await fakeService((call) => {
    attempts += 1
    if (attempts > 1) return accepted(call)
    const refused = { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' }
    const RequestResponses = [refused, { RecordId: 'id-b' }, refused]
    return { body: { FailedPutCount: 2, RequestResponses } }
  })
  expect(await run(put, service.url, ['logs', fileOf('a\nb\nc\n')], { ids: true })).toBe(0)
  expect(service.calls.map(dataOf)).toEqual([
    ['a', 'b', 'c'],
    ['a', 'c'],
  ])
  expect(printed.join('')).toBe('id-a\nid-b\nid-c\n')
})

test('put fails in one line when the stream is not there', async () => {
  const body = { __type: 'ResourceNotFoundException', message: 'Firehose logs not found.' }
  await using service = await fakeService(() => ({ status: 400, body }))
  await expect(run(put, service.url, ['logs', fileOf('a')])).rejects.toMatchObject({
    message: 'ResourceNotFoundException: Firehose logs not found.',
    exitCode: 1,
  })
})

test('put says which line is too long', async () => {
  await using service = await fakeService(accepted)
  const path = fileOf(`a\n${'x'.repeat(1_024_001)}`)
  await expect(run(put, service.url, ['logs', path])).rejects.toThrow(
    `Cannot read ${path}: line 2 is longer than 1024000 bytes`,
  )
})

test('a service that is not there is told apart from one that refuses', async () => {
  const { url, ...service } = await fakeService(accepted)
  await service[Symbol.asyncDispose]()
  await expect(run(streams, url, ['list'])).rejects.toMatchObject({
    message: `Cannot reach Standpipe at ${url}: ECONNREFUSED; is it running? (npm start)`,
    exitCode: 1,
  })
  await expect(run(receipt, url, ['x'])).rejects.toThrow('ECONNREFUSED')
})

test('streams list follows the pages', async () => {
  await using service = await fakeService(({ body }) => ({
    body: body['ExclusiveStartDeliveryStreamName']
      ? { DeliveryStreamNames: ['c'], HasMoreDeliveryStreams: false }
      : { DeliveryStreamNames: ['a', 'b'], HasMoreDeliveryStreams: true },
  }))
  await run(streams, service.url, ['list'])
  expect(printed.join('')).toBe('a\nb\nc\n')
})

test('streams create makes an S3 stream from flags', async () => {
  await using service = await fakeService(() => ({ body: { DeliveryStreamARN: 'arn:x' } }))
  const flags = { bucket: 'b', compression: 'GZIP', 'buffer-seconds': '60', delimiter: true }
  await run(streams, service.url, ['create', 'logs'], flags)
  const Parameters = [{ ParameterName: 'Delimiter', ParameterValue: String.raw`\n` }]
  expect(service.calls).toEqual([
    {
      name: 'CreateDeliveryStream',
      body: {
        DeliveryStreamName: 'logs',
        ExtendedS3DestinationConfiguration: {
          RoleARN: 'arn:aws:iam::000000000000:role/standpipe',
          BucketARN: 'arn:aws:s3:::b',
          CompressionFormat: 'GZIP',
          BufferingHints: { IntervalInSeconds: 60 },
          ProcessingConfiguration: {
            Enabled: true,
            Processors: [{ Type: 'AppendDelimiterToRecord', Parameters }],
          },
        },
      },
    },
  ])
  expect(printed.join('')).toBe('arn:x\n')
})

test('streams update changes what the flags name, from the version it found', async () => {
  await using service = await fakeService(({ name }) => ({
    body:
      name === 'DescribeDeliveryStream'
        ? { DeliveryStreamDescription: { VersionId: '7', Destinations: [{ DestinationId: 'd' }] } }
        : {},
  }))
  await run(streams, service.url, ['update', 'logs'], { prefix: 'p/' })
  expect(service.calls[1]).toEqual({
    name: 'UpdateDestination',
    body: {
      DeliveryStreamName: 'logs',
      CurrentDeliveryStreamVersionId: '7',
      DestinationId: 'd',
      ExtendedS3DestinationUpdate: { Prefix: 'p/' },
    },
  })
})

test.each([
  ['on', true, { Enabled: true, Processors: ['Lambda', 'AppendDelimiterToRecord'] }],
  ['off', false, { Enabled: true, Processors: ['Lambda'] }],
])(
  'streams update switches the delimiter %s and leaves other processors',
  async (_, delimiter, expected) => {
    const Processors = [{ Type: 'AppendDelimiterToRecord', Parameters: [] }, { Type: 'Lambda' }]
    const ProcessingConfiguration = { Enabled: true, Processors }
    const Destinations = [{ ExtendedS3DestinationDescription: { ProcessingConfiguration } }]
    await using service = await fakeService(() => ({
      body: { DeliveryStreamDescription: { VersionId: '7', Destinations } },
    }))
    await run(streams, service.url, ['update', 'logs'], { delimiter })
    const update = service.calls[1]?.body['ExtendedS3DestinationUpdate'] as JsonObject
    const processing = update['ProcessingConfiguration'] as typeof ProcessingConfiguration
    expect({
      ...processing,
      Processors: processing.Processors.map(({ Type }) => Type),
    }).toEqual(expected)
  },
)

test.each(['flush', 'pause', 'resume'])(
  'streams %s calls the route of that name',
  async (action) => {
    await using service = await fakeService(() => ({ body: {} }))
    await run(streams, service.url, [action, 'logs'])
    expect(service.calls).toEqual([{ name: `POST /streams/logs/${action}`, body: {} }])
  },
)

test('receipt prints what the service knows, or why it knows nothing', async () => {
  await using service = await fakeService(({ name }) =>
    name.endsWith('/known')
      ? { body: { state: 'delivered' } }
      : { status: 404, body: { message: 'No such record' } },
  )
  await run(receipt, service.url, ['known'])
  expect(JSON.parse(printed.join(''))).toEqual({ state: 'delivered' })
  await expect(run(receipt, service.url, ['other'])).rejects.toThrow(
    'Cannot GET /receipts/other: No such record',
  )
})

test.each([
  [streams, [], 'streams needs one of list,'],
  [streams, ['constructor'], 'streams needs one of list,'],
  [streams, ['describe'], 'the name of the stream is missing'],
  [streams, ['list', 'x'], '"x" is too much'],
  [streams, ['create', 'logs'], 'give --bucket, or --file'],
  [put, [], 'the name of the stream is missing'],
  [receipt, [], 'the RecordId is missing'],
] as const)('misuse is a usage error: %#', async (command, positionals, message) => {
  await expect(run(command, 'http://127.0.0.1:1', [...positionals])).rejects.toMatchObject({
    message: expect.stringContaining(message) as string,
    exitCode: 2,
  })
})

test('replay asks for what its flags say, waits for the end, and tells the sums', async () => {
  const states = ['running', 'running', 'completed']
  await using service = await fakeService(({ name }) => ({
    status: name.startsWith('POST') ? 201 : 200,
    body: { ReplayId: '1f', State: states.shift() ?? '', ReadRecordCount: 1_234, ObjectCount: 2 },
  }))
  const flags = {
    'to-stream': 'other',
    format: 'error',
    from: '2026-11-20',
    'error-code': '413',
    rate: '10',
    'dry-run': true,
  }
  expect(await run(replay, service.url, ['logs'], flags)).toBe(0)
  const get = { name: 'GET /streams/logs/replays/1f', body: {} }
  expect(service.calls).toEqual([
    {
      name: 'POST /streams/logs/replays',
      body: {
        ToStream: 'other',
        Format: 'error',
        From: '2026-11-20',
        ErrorCode: '413',
        RecordsPerSecond: 10,
        DryRun: true,
      },
    },
    get,
    get,
  ])
  expect(printed).toEqual([
    '2 objects, 1,234 records read, 0 selected, 0 replayed, 0 already replayed\n',
  ])
})

test('replay from a bucket goes to the stream that is named, and fails as the replay does', async () => {
  await using service = await fakeService(() => ({
    body: { ReplayId: '1f', State: 'failed', Message: 'Cannot read b/p/x: it is not gzip' },
  }))
  const words = ['b/p/']
  await expect(run(replay, service.url, words)).rejects.toThrow('--to-stream is missing')
  await expect(run(replay, service.url, words, { 'to-stream': 'logs' })).rejects.toThrow(
    'Cannot replay all of it: Cannot read b/p/x: it is not gzip',
  )
  expect(service.calls).toEqual([
    {
      name: 'POST /streams/logs/replays',
      body: { Source: { Bucket: 'b', Prefix: 'p/' }, DryRun: false },
    },
  ])
})
