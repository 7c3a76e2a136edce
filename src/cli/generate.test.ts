/** The command against a server that only writes down what it is asked. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { fakeService, run } from '../../test/fakes/service-before-commands.ts'
import type { Answer, Call } from '../../test/fakes/service-before-commands.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { JsonObject } from '../base/json.ts'
import { generate } from './generate.ts'

const printed: string[] = []
const told: string[] = []
vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
  printed.push(String(text))
  return true
})
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  told.push(String(text))
  return true
})
afterEach(() => {
  printed.length = 0
  told.length = 0
  vi.unstubAllEnvs()
})

const NUMBERS = '{{random.number(9)}}'
/** All at once. */
const AT_ONCE = { stream: 'logs', template: NUMBERS, rate: '1000000' }
const NO_SERVICE = 'http://127.0.0.1:1'

interface SentRecord {
  readonly Data: string
  readonly PartitionKey?: string
}

function recordsOf({ body }: Call): readonly SentRecord[] {
  return body['Records'] as unknown as readonly SentRecord[]
}

function dataOf(call: Call): string[] {
  return recordsOf(call).map(({ Data }) => Buffer.from(Data, 'base64').toString())
}

const accepted: Answer = (call) => ({
  body: {
    FailedPutCount: 0,
    RequestResponses: recordsOf(call).map(() => ({ RecordId: 'id' })),
    Records: recordsOf(call).map(() => ({ SequenceNumber: '1', ShardId: 's' })),
  },
})

test('a count of records is put in batches of at most 500, each a line', async () => {
  await using service = await fakeService(accepted)
  expect(await run(generate, service.url, [], { ...AT_ONCE, count: '1001' })).toBe(0)
  const batches = service.calls.map((call) => dataOf(call).length)
  expect(batches.toSorted((a, b) => a - b)).toEqual([1, 500, 500])
  expect(service.calls[0]).toMatchObject({
    name: 'PutRecordBatch',
    body: { DeliveryStreamName: 'logs' },
  })
  expect(service.calls.flatMap(dataOf).every((data) => /^\d\n$/.test(data))).toBe(true)
  expect(printed.join('')).toMatch(
    /^Acknowledged 1,001 records, 2\.0 KiB, in .+ p50 .+ p99 .+ ms\n$/,
  )
})

test('--delimiter none leaves records as the template makes them', async () => {
  await using service = await fakeService(accepted)
  await run(generate, service.url, [], { ...AT_ONCE, count: '1', delimiter: 'none' })
  expect(service.calls.flatMap(dataOf)).toEqual([expect.stringMatching(/^\d$/)])
})

test('the same seed sends the same records, which is the seed that the sums tell', async () => {
  await using service = await fakeService(accepted)
  const flags = { ...AT_ONCE, template: '{{random.uuid}}', count: '20', json: true }
  await run(generate, service.url, [], flags)
  const { seed } = JSON.parse(printed.join('')) as { seed: number }
  await run(generate, service.url, [], { ...flags, seed: String(seed) })
  await run(generate, service.url, [], { ...flags, seed: String((seed + 1) % 2 ** 32) })
  const [first = [], again, other] = service.calls.map(dataOf)
  expect(new Set(first).size).toBe(20)
  expect(again).toEqual(first)
  expect(other).not.toEqual(first)
})

test('refused records are sent again and counted; the sums are one JSON object', async () => {
  await using service = await fakeService((call) =>
    service.calls.length > 1
      ? accepted(call)
      : {
          body: {
            FailedPutCount: 1,
            RequestResponses: [
              { RecordId: 'id' },
              { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' },
            ],
          },
        },
  )
  const flags = { ...AT_ONCE, template: '{{random.uuid}}', count: '2', json: true, seed: '7' }
  expect(await run(generate, service.url, [], flags)).toBe(0)
  const [first = [], second] = service.calls.map(dataOf)
  expect(second).toEqual(first.slice(1))
  expect(JSON.parse(printed.join(''))).toEqual({
    stream: 'logs',
    seed: 7,
    durationMs: expect.any(Number) as number,
    made: 2,
    acknowledged: 2,
    failed: 0,
    sentAgain: 1,
    missed: 0,
    acknowledgedBytes: 74,
    requests: 2,
    recordsPerSecond: expect.any(Number) as number,
    latencyMs: { p50: expect.any(Number) as number, p99: expect.any(Number) as number },
    lastReason: 'ServiceUnavailableException: Slow down.',
  })
})

test('an error of the stream ends it in one line, after the sums', async () => {
  const body = { __type: 'ResourceNotFoundException', message: 'Firehose logs not found.' }
  await using service = await fakeService(() => ({ status: 400, body }))
  await expect(run(generate, service.url, [], { ...AT_ONCE, count: '3' })).rejects.toMatchObject({
    message: 'ResourceNotFoundException: Firehose logs not found.',
    exitCode: 1,
  })
  expect(printed.join('')).toContain('Not acknowledged 3')
})

test('a record that is too large ends it in one line', async () => {
  await using service = await fakeService(accepted)
  const template = `{{string.alpha(1024000)}}`
  await expect(run(generate, service.url, [], { ...AT_ONCE, template })).rejects.toMatchObject({
    message: 'Cannot send a record of 1024001 bytes: the service takes at most 1024000',
    exitCode: 1,
  })
  expect(service.calls).toEqual([])
})

test('--kinesis puts by PutRecords, with random partition keys', async () => {
  await using service = await fakeService(accepted)
  const flags = { ...AT_ONCE, kinesis: true, count: '50' }
  expect(await run(generate, service.url, [], flags)).toBe(0)
  const [call] = service.calls
  expect(call).toMatchObject({ name: 'PutRecords', body: { StreamName: 'logs' } })
  const keys = (call === undefined ? [] : recordsOf(call)).map(({ PartitionKey }) => PartitionKey)
  expect(keys.every((key = '') => /^\d{1,10}$/.test(key))).toBe(true)
  expect(new Set(keys).size).toBe(50)
})

test('--partition-key is a template of its own', async () => {
  await using service = await fakeService(accepted)
  const key = 'k-{{random.arrayElement(["a"])}}'
  await run(generate, service.url, [], {
    ...AT_ONCE,
    kinesis: true,
    count: '2',
    'partition-key': key,
  })
  expect(service.calls.flatMap(recordsOf).map(({ PartitionKey }) => PartitionKey)).toEqual([
    'k-a',
    'k-a',
  ])
})

test('--dry-run prints records and needs no service', async () => {
  const flags = { template: 'json-clicks', 'dry-run': '3', seed: '1' }
  expect(await run(generate, NO_SERVICE, [], flags)).toBe(0)
  const records = printed.map((line) => JSON.parse(line) as JsonObject)
  expect(records).toHaveLength(3)
  expect(Object.keys(records[0] ?? {})).toEqual(['session', 'at', 'page', 'ip', 'mobile', 'ms'])
})

test('a template may lie in a file', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'standpipe-generate-')), 'template')
  writeFileSync(path, '{\n  "a": {{random.arrayElement([1])}}\n}\n')
  await run(generate, NO_SERVICE, [], { template: `@${path}`, 'dry-run': '1' })
  expect(printed.join('')).toBe('{  "a": 1}\n')
})

test('--quiet tells nothing', async () => {
  await using service = await fakeService(accepted)
  expect(await run(generate, service.url, [], { ...AT_ONCE, count: '1', quiet: true })).toBe(0)
  expect([printed, told]).toEqual([[], []])
})

test('elsewhere than on a terminal it tells how it is in lines', async () => {
  await using service = await fakeService(accepted)
  const flags = { ...AT_ONCE, rate: '100', count: '150' }
  expect(await run(generate, service.url, [], flags)).toBe(0)
  expect(told[0]).toMatch(
    /^planned \d+\/s, sent \d+\/s, acknowledged \d+\/s, p50 .+ ms, p99 .+ ms, .*\d+ in all\n$/,
  )
  expect(printed.join('')).toMatch(/^Acknowledged 150 records/)
})

test.each([
  ['firehose', {}],
  ['kinesis', { kinesis: true }],
])(
  '--aws signs for %s with what the environment says, as the AWS CLI does',
  async (name, flags) => {
    await using http = await ScriptedHttp.start(() => ({
      status: 200,
      body: JSON.stringify({
        RequestResponses: [{ RecordId: 'id' }],
        Records: [{ SequenceNumber: '1' }],
      }),
    }))
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDTEMPORARY')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    vi.stubEnv('AWS_SESSION_TOKEN', 'session')
    vi.stubEnv('AWS_REGION', 'eu-central-1')
    vi.stubEnv(`AWS_ENDPOINT_URL_${name.toUpperCase()}`, http.url)
    const all = { ...AT_ONCE, ...flags, aws: true, count: '1' }
    const invocation = { flags: all, positionals: [], environment: {} }
    expect(await generate.run(invocation)).toBe(0)
    expect(http.requests.map(({ headers }) => headers)).toMatchObject([
      {
        authorization: expect.stringMatching(
          new RegExp(`Credential=AKIDTEMPORARY/\\d+/eu-central-1/${name}/aws4_request`),
        ) as string,
        'x-amz-security-token': 'session',
      },
    ])
  },
)

test.each([
  ['AWS_REGION', 'Cannot use --aws: Region is missing'],
  ['AWS_ACCESS_KEY_ID', 'Cannot use --aws: Could not load credentials from any providers'],
])('--aws without %s is refused in one line', async (name, message) => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDTEMPORARY')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  vi.stubEnv('AWS_REGION', 'eu-central-1')
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere')
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv(name, undefined)
  const invocation = { flags: { ...AT_ONCE, aws: true }, positionals: [], environment: {} }
  await expect(generate.run(invocation)).rejects.toMatchObject({
    message: expect.stringContaining(message) as string,
    exitCode: 2,
  })
})

test('no server is told from one that refuses', async () => {
  await expect(run(generate, NO_SERVICE, [], AT_ONCE)).rejects.toMatchObject({
    message: `Cannot reach Standpipe at ${NO_SERVICE}: ECONNREFUSED; is it running? (npm start)`,
    exitCode: 1,
  })
  const flags = { ...AT_ONCE, kinesis: true }
  await expect(run(generate, NO_SERVICE, [], flags)).rejects.toThrow(
    `Cannot reach Kinesis at ${NO_SERVICE}: ECONNREFUSED`,
  )
})

test.each([
  [{ stream: undefined }, '--stream is missing'],
  [{ template: undefined }, '--template is missing'],
  [{ rate: undefined }, '--rate is missing'],
  [{ rate: '0' }, 'Cannot use --rate: must be a number more than 0'],
  [{ rate: 'many' }, 'Cannot use --rate'],
  [{ duration: '5 minutes' }, 'must be like 500ms, 30s, 5m, 24h or 7d'],
  [{ count: '1.5' }, 'Cannot use --count'],
  [{ pattern: 'toString' }, 'must be one of constant, ramp, spike, daily'],
  [{ pattern: 'ramp' }, '--rate-to is missing'],
  [{ pattern: 'ramp', 'rate-to': '9' }, 'give --ramp-over, or --duration'],
  [{ pattern: 'spike', 'spike-for': '2m' }, 'must not be longer than --spike-every'],
  [{ 'spike-factor': '2' }, 'it means nothing to --pattern constant'],
  [{ pattern: 'ramp', day: '1h' }, 'it means nothing to --pattern ramp'],
  [{ delimiter: 'tab' }, 'must be newline or none'],
  [{ 'partition-key': 'x' }, 'only --kinesis has them'],
  [{ concurrency: '0' }, 'must be 1 or more'],
  [{ seed: '4294967296' }, 'must be at most 4294967295'],
  [{ aws: true }, '--aws has its own'],
  [{ kinesis: true, endpoint: undefined }, 'give --endpoint, or --aws'],
  [{ template: 'apache-lok' }, 'did you mean apache-log?'],
  [{ template: '{{name.fristName}}' }, 'no function name.fristName (did you mean name.firstName?)'],
  [{ template: '@/nowhere/at/all' }, 'Cannot read the template: ENOENT'],
] as const)('misuse is a usage error: %#', async (flags, message) => {
  const all: Record<string, unknown> = { ...AT_ONCE, ...flags }
  await expect(run(generate, NO_SERVICE, [], all)).rejects.toMatchObject({
    message: expect.stringContaining(message) as string,
    exitCode: 2,
  })
})
