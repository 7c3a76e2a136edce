/** The command against a server that only writes down what it is asked. */
import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { fakeService, run } from '../../test/fakes/service-before-commands.ts'
import type { Answer, Call } from '../../test/fakes/service-before-commands.ts'
import { tail } from './tail.ts'

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
})

function dataOf({ body }: Call): string[] {
  const records = body['Records'] as { Data: string }[]
  return records.map(({ Data }) => Buffer.from(Data, 'base64').toString())
}

const accepted: Answer = (call) => ({
  body: {
    FailedPutCount: 0,
    RequestResponses: dataOf(call).map((_, index) => ({ RecordId: String(index) })),
  },
})

function place(content: string): { path: string; state: string } {
  const folder = mkdtempSync(join(tmpdir(), 'standpipe-tail-command-'))
  writeFileSync(join(folder, 'app.log'), content)
  return { path: join(folder, 'app.log'), state: join(folder, 'state.json') }
}

test('once sends the lines with their newlines to the stream, and tells the sums', async () => {
  await using service = await fakeService(accepted)
  const { path, state } = place('a\nb')
  const flags = { stream: 'logs', state, once: true, json: true }
  expect(await run(tail, service.url, [path], flags)).toBe(0)
  expect(service.calls.map(({ name, body }) => [name, body['DeliveryStreamName']])).toEqual([
    ['PutRecordBatch', 'logs'],
    ['PutRecordBatch', 'logs'],
  ])
  expect(service.calls.flatMap(dataOf)).toEqual(['a\n', 'b'])
  expect(JSON.parse(printed.join(''))).toEqual({
    recordCount: 2,
    dataBytes: 3,
    truncatedCount: 0,
    unmatchedCount: 0,
    retryCount: 0,
    gapCount: 0,
    gapBytes: 0,
  })
})

test('its options reach the records', async () => {
  await using service = await fakeService(accepted)
  const { path, state } = place('head\n> 1\tx\n  y\n> 2\nlast')
  await run(tail, service.url, [path], {
    stream: 'logs',
    state,
    once: true,
    newline: false,
    'skip-header-lines': '1',
    'multi-line-start': '> ',
    'single-line': true,
    'csv-to-json': 'a,b',
    delimiter: String.raw`\t`,
  })
  expect(service.calls.flatMap(dataOf)).toEqual([
    '{"a":"> 1","b":"xy"}',
    '{"a":"> 2last","b":null}',
  ])
})

test('log lines become JSON; those that do not match are counted, or kept', async () => {
  await using service = await fakeService(accepted)
  const flags = {
    stream: 'logs',
    once: true,
    'log-to-json': 'SYSLOG',
    'match-pattern': String.raw`(\w)=(\d)`,
    'field-names': 'key,value',
  }
  const first = place('a=1\nwhat\n')
  await run(tail, service.url, [first.path], { ...flags, state: first.state })
  expect(told.at(-1)).toBe('Sent 1 records, 24 B, 1 unmatched\n')
  const second = place('what\n')
  await run(tail, service.url, [second.path], {
    ...flags,
    state: second.state,
    'keep-unmatched': true,
  })
  expect(service.calls.flatMap(dataOf)).toEqual(['{"key":"a","value":"1"}\n', 'what\n'])
})

test('it follows until SIGTERM, and goes on where it was', async () => {
  const { path, state } = place('old\n')
  let answers = 0
  await using service = await fakeService((call) => {
    answers += 1
    if (answers === 1) appendFileSync(path, 'c\n')
    if (answers === 2) process.emit('SIGTERM')
    return accepted(call)
  })
  const flags = { stream: 'logs', state, from: 'start' }
  expect(await run(tail, service.url, [path], flags)).toBe(0)
  appendFileSync(path, 'd\n')
  await run(tail, service.url, [path], { ...flags, once: true })
  expect(service.calls.flatMap(dataOf)).toEqual(['old\n', 'c\n', 'd\n'])
})

test('what the stream does not take is sent again', async () => {
  let attempts = 0
  await using service = await fakeService((call) => {
    attempts += 1
    if (attempts > 1) return accepted(call)
    const refused = { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' }
    return { body: { FailedPutCount: 1, RequestResponses: [{ RecordId: '0' }, refused] } }
  })
  const { path, state } = place('a\nb\n')
  await run(tail, service.url, [path], { stream: 'logs', state, once: true })
  expect(service.calls.map(dataOf)).toEqual([['a\n', 'b\n'], ['b\n']])
})

test('once fails when a signal ends it before all is sent', async () => {
  await using service = await fakeService(() => {
    process.emit('SIGTERM')
    return { status: 503, body: { __type: 'ServiceUnavailableException', message: 'Slow down.' } }
  })
  const { path, state } = place('a\n')
  expect(await run(tail, service.url, [path], { stream: 'logs', state, once: true })).toBe(1)
})

test('a stream that is not there ends it in one line', async () => {
  const body = { __type: 'ResourceNotFoundException', message: 'Firehose logs not found.' }
  await using service = await fakeService(() => ({ status: 400, body }))
  const { path, state } = place('a\n')
  await expect(
    run(tail, service.url, [path], { stream: 'logs', state, once: true }),
  ).rejects.toMatchObject({
    message: 'ResourceNotFoundException: Firehose logs not found.',
    exitCode: 1,
  })
})

test.each([
  [[], { stream: 's' }, 'a file is missing'],
  [['a'], {}, '--stream is missing'],
  [['a'], { stream: 's', from: 'middle' }, 'Cannot use --from: must be start or end'],
  [['a'], { stream: 's', 'flush-partial': 'x' }, '--flush-partial: must be a whole number'],
  [['a'], { stream: 's', 'multi-line-start': '(' }, 'Cannot use --multi-line-start: Invalid'],
  [['a'], { stream: 's', 'log-to-json': 'NGINX' }, '--log-to-json: the format is one of COMMON'],
  [['a'], { stream: 's', 'field-names': 'a' }, '--log-to-json is missing'],
  [
    ['a'],
    { stream: 's', 'csv-to-json': 'a', 'log-to-json': 'SYSLOG' },
    'Cannot use --csv-to-json together with --log-to-json',
  ],
] as const)('misuse is a usage error: %#', async (files, flags, message) => {
  await expect(run(tail, 'http://127.0.0.1:1', [...files], flags)).rejects.toMatchObject({
    message: expect.stringContaining(message) as string,
    exitCode: 2,
  })
})
