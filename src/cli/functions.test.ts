import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FunctionFixture } from '../../test/fakes/function-fixtures.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import { functions } from './functions.ts'

let printed = ''
let complained = ''
beforeEach(() => {
  printed = ''
  complained = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complained += String(text)
    return true
  })
})
afterEach(() => void vi.restoreAllMocks())

function run(positionals: string[], flags: Record<string, unknown> = {}): Promise<number> {
  return functions.run({ positionals, flags, environment: {} })
}

const ECHO = `export const handler = async ({ records }) => {
  console.log('hello from', records.length)
  return { records: records.map(({ recordId, data }, n) => ({
    recordId, data, result: n === 0 ? 'Ok' : 'Dropped',
    ...(n === 0 && { metadata: { partitionKeys: { day: '1' } } }),
  })) }
}`

/** Runs `functions test` on a module and a file with this content. */
async function tryOut(
  source: string,
  content: string | Buffer,
  flags: Record<string, unknown> = {},
) {
  await using fixture = new FunctionFixture({ 'echo.mjs': source })
  const event = join(fixture.directory, 'event.json')
  writeFileSync(event, content)
  const given = { event, 'functions-dir': fixture.directory, ...flags }
  const code = await run(['test', 'echo'], given).catch((error: unknown) => error)
  const shown = (text: string): string =>
    text.replaceAll(fixture.directory, 'DIR').replaceAll(/\d+\.\d ms/g, 'N ms')
  return code instanceof Error ? shown(code.message) : { code, printed: shown(printed) }
}

function eventText(...records: object[]): string {
  return JSON.stringify({ records })
}

test('list shows the reports of the service as a table', async () => {
  const report = {
    Name: 'arn:x',
    DeliveryStreamName: 'logs',
    InvocationCount: 12,
    FailureCount: 1,
    RecordCount: 3_400,
    DurationMs: { Sum: 100, Max: 81.24, P50: 5, P99: 81.24 },
  }
  const failed = { ErrorCode: 'Lambda.FunctionError', Timestamp: 1_780_000_000 }
  await using server = await ScriptedHttp.start(() => ({
    status: 200,
    body: JSON.stringify({ Functions: [report, { ...report, LastFailure: failed }] }),
  }))
  expect(await run(['list'], { endpoint: server.url })).toBe(0)
  expect(server.requests).toMatchObject([{ method: 'GET', path: '/functions' }])
  expect(printed).toBe(
    [
      'FUNCTION  STREAM  CALLS  FAILED  RECORDS  P50 MS  P99 MS  MAX MS  LAST FAILURE',
      'arn:x     logs    12     1       3400     5       81.2    81.2    -',
      'arn:x     logs    12     1       3400     5       81.2    81.2    Lambda.FunctionError at 2026-05-28T20:26:40.000Z',
      '',
    ].join('\n'),
  )
  printed = ''
  await run(['list'], { endpoint: server.url, json: true })
  expect(JSON.parse(printed)).toMatchObject({ Functions: [report, report] })
})

test('list says so when there is nothing to list', async () => {
  await using server = await ScriptedHttp.start(() => ({ status: 200, body: '{"Functions":[]}' }))
  await run(['list'], { endpoint: server.url })
  expect(printed).toBe('No function was called since the service started.\n')
})

test('a trial shows what became of each record of an event', async () => {
  const event = eventText(
    { recordId: 'first', data: Buffer.from('{"a":1}\n').toString('base64') },
    { recordId: 'second', data: '/w==', approximateArrivalTimestamp: 1 },
  )
  expect(await tryOut(ECHO, event)).toEqual({
    code: 0,
    printed: [
      'module DIR/echo.mjs, N ms: 2 records, 166 bytes',
      'first   Ok       {"a":1}             {"day":"1"}',
      'second  Dropped  1 bytes, not UTF-8',
      '',
    ].join('\n'),
  })
  expect(complained).toBe('hello from 2\n')
})

test('a trial takes an event of a Kafka topic, where data has another name', async () => {
  const source = `export const handler = async ({ records }) => ({ records: records.map((record) => ({
    recordId: record.recordId, result: 'Ok', kafkaRecordValue: record.kafkaRecordValue })) })`
  const records = [{ recordId: 'a', kafkaRecordValue: 'QQ==' }]
  expect(await tryOut(source, JSON.stringify({ sourceMSKArn: 'arn', records }))).toEqual({
    code: 0,
    printed: 'module DIR/echo.mjs, N ms: 1 records, 70 bytes\na  Ok  A\n',
  })
})

test('a trial makes an event of raw lines, and gives the answer as JSON', async () => {
  const { printed } = (await tryOut(ECHO, 'one\n\nthree', { records: true, json: true })) as {
    printed: string
  }
  expect(JSON.parse(printed)).toMatchObject({
    records: [
      { recordId: '0', data: 'b25l' },
      { recordId: '1', data: '' },
      { recordId: '2', data: 'dGhyZWU=' },
    ],
  })
})

test.for([
  [
    'throws',
    'export const handler = async () => { throw new Error("bad") }',
    {},
    'echo failed: Lambda.FunctionError: Error: bad',
  ],
  [
    'is late',
    'export const handler = () => new Promise(() => {})',
    { timeout: '200' },
    'echo failed: Lambda.FunctionError: Sandbox.Timedout: Task timed out after 0.20 seconds',
  ],
  ['answers junk', 'export const handler = async () => "x"', {}, 'The answer has no records: "x"'],
] as const)('a trial fails when the function %s', async ([, source, flags, message]) => {
  expect(await tryOut(source, eventText(), flags)).toBe(message)
})

test.for([
  ['{', /^Cannot use DIR\/event.json: not JSON: /],
  ['[]', /: the event must be a JSON object$/],
  ['{}', /: records must be a list; see --records for raw records$/],
  ['{"records":[],"region":1}', /: region must be text$/],
  [eventText([]), /: records\[0\] must be an object$/],
  [eventText({ data: '' }), /: records\[0\]\.recordId must be text that is not empty$/],
  [
    eventText({ recordId: 'a', data: '' }, { recordId: 'a', data: '' }),
    /: records\[1\]\.recordId is there twice$/,
  ],
  [
    eventText({ recordId: 'a', data: '{"a":1}' }),
    /: records\[0\]\.data must be base64; see --records for raw records$/,
  ],
  [
    eventText({ recordId: 'a', data: '', approximateArrivalTimestamp: 'x' }),
    /must be a number of ms$/,
  ],
  [' '.repeat(6 * 1024 * 1024 + 1), /: it has more than 6 MiB, which no invocation takes$/],
] as const)('a trial refuses an event that AWS would not send: %#', async ([content, message]) => {
  expect(await tryOut(ECHO, content)).toMatch(message)
})

test.each([
  [[], 'functions needs list or test'],
  [['constructor'], 'functions needs list or test'],
  [['list', 'x'], '"x" is too much'],
  [['test'], 'the name of the function is missing'],
  [['test', 'x'], '--event is missing'],
])('misuse is a usage error: %j', async (positionals, message) => {
  await expect(run(positionals)).rejects.toMatchObject({
    message: expect.stringContaining(message) as string,
    exitCode: 2,
  })
})

test('a name that is no function is a plain error', async () => {
  await expect(
    run(['test', 'no/name'], { event: '/dev/null', records: true }),
  ).rejects.toMatchObject({
    message:
      'Cannot use arn:aws:lambda:us-east-1:000000000000:function:no/name: it is not the ARN of a Lambda function',
    exitCode: 1,
  })
})
