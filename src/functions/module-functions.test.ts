/** Modules as functions: what they may be, and what they meet. */
import { expect, test } from 'vitest'
import {
  clockThatSleepsThrough,
  eventOf,
  FunctionFixture,
  functionArn,
  handler,
} from '../../test/fakes/function-fixtures.ts'

const never = new AbortController().signal

test.for([
  ['an async function', 'a.mjs', 'export async function handler(event) { return event.records }'],
  [
    'TypeScript',
    'a.ts',
    'export const handler = async (e: { records: object }): Promise<object> => e.records',
  ],
  ['a plain function', 'a.js', 'export const handler = (event) => event.records'],
  ['CommonJS', 'a.js', 'exports.handler = async (event) => event.records'],
  [
    'CommonJS by module.exports',
    'a.js',
    "'use strict'\nmodule.exports = { handler: (e) => e.records }",
  ],
  [
    'a callback',
    'a.js',
    'exports.handler = (event, context, done) => { done(null, event.records) }',
  ],
  [
    'a late callback',
    'a.js',
    'exports.handler = (event, context, done) => { setTimeout(done, 1, null, event.records) }',
  ],
] as const)('a handler may be %s', async ([, file, source]) => {
  await using fixture = new FunctionFixture({ [file]: source })
  const { records } = eventOf('x', 'y')
  const text = JSON.stringify(records)
  expect(await fixture.invoke('a', eventOf('x', 'y'))).toEqual({
    value: records,
    sizeBytes: text.length,
  })
})

test('what a source tells of a record reaches the handler, as do its data under both names', async () => {
  await using fixture = new FunctionFixture({ 'a.mjs': handler('return event') })
  const event = { ...eventOf('x', 'y'), sourceMSKArn: 'arn:aws:kafka:us-east-1:1:cluster/c/1' }
  const metadata = { mskRecordMetadata: { offset: '7' }, headers: [{ key: 'k', value: 'dg==' }] }
  const records = event.records.map((record) => ({ ...record, ...metadata }))
  // As a Lambda stage has them: base64 is made in the thread.
  const sent = records.map((record) => ({ ...record, bytes: Buffer.from(record.data, 'base64') }))
  const { value } = await fixture.invoke('a', { ...event, records: sent })
  expect(value).toEqual({
    ...event,
    records: records.map((record) => ({
      ...record,
      data: Buffer.from(record.data, 'base64'),
      kafkaRecordValue: record.data,
    })),
  })
})

test('the event and the context are those of AWS', async () => {
  const source = handler(`const { getRemainingTimeInMillis, ...rest } = context
    return { event, rest, remaining: getRemainingTimeInMillis(), name: process.env.AWS_LAMBDA_FUNCTION_NAME }`)
  await using fixture = new FunctionFixture({ 'enrich.mjs': source })
  const arn = `${functionArn('enrich')}:live`
  const lease = await fixture.functions.lease(arn)
  const { value } = await lease.invoke(eventOf('x'), never)
  expect(value).toEqual({
    event: eventOf('x'),
    rest: {
      functionName: 'enrich',
      functionVersion: '$LATEST',
      invokedFunctionArn: arn,
      memoryLimitInMB: '128',
      awsRequestId: eventOf('x').invocationId,
      logGroupName: '/aws/lambda/enrich',
      logStreamName: 'standpipe',
      callbackWaitsForEmptyEventLoop: false,
    },
    remaining: expect.any(Number) as number,
    name: 'enrich',
  })
  const { remaining } = value as { remaining: number }
  expect(remaining).toBeGreaterThan(0)
  expect(remaining).toBeLessThanOrEqual(10_000)
})

test('modules import their neighbours, packages and data', async () => {
  await using fixture = new FunctionFixture({
    'a.ts': `import { suffix } from './lib/suffix.ts'
      import places from './places.json' with { type: 'json' }
      import { greet } from 'greeter'
      export const handler = async () => [suffix, places.here, greet()]`,
    'lib/suffix.ts': 'export const suffix: string = "!"',
    'places.json': '{ "here": "there" }',
    'node_modules/greeter/package.json': '{ "name": "greeter", "main": "index.js" }',
    'node_modules/greeter/index.js': 'exports.greet = () => "hello"',
  })
  expect((await fixture.invoke('a')).value).toEqual(['!', 'there', 'hello'])
})

test('a function that posts to its parent, or bends JSON, is still understood', async () => {
  const source = `import { parentPort } from 'node:worker_threads'
    JSON.stringify = () => 'junk'
    export const handler = async () => {
      for (const message of [null, 'junk', { kind: 'junk' }]) parentPort.postMessage(message)
      return { a: 1 }
    }`
  await using fixture = new FunctionFixture({ 'a.mjs': source })
  expect((await fixture.invoke('a')).value).toEqual({ a: 1 })
})

test("a function does not see Standpipe's own variables", async () => {
  process.env['STANDPIPE_SSE_KEY'] = 'secret'
  try {
    await using fixture = new FunctionFixture({
      'a.mjs': handler(
        "return Object.keys(process.env).filter((name) => name.startsWith('STANDPIPE'))",
      ),
    })
    expect((await fixture.invoke('a')).value).toEqual([])
  } finally {
    delete process.env['STANDPIPE_SSE_KEY']
  }
})

test.for([
  ['undefined', 'return undefined', null],
  ['a text', 'return "junk"', 'junk'],
  ['what JSON leaves out', 'return { a: undefined, b: Number.NaN, c: () => 1 }', { b: null }],
  ['a promise in a promise', 'return Promise.resolve([1])', [1]],
] as const)('what a function answers is passed on: %s', async ([, body, value]) => {
  await using fixture = new FunctionFixture({ 'a.mjs': handler(body) })
  expect(await fixture.invoke('a')).toMatchObject({ value })
})

test('threads are kept from one invocation to the next', async () => {
  await using fixture = new FunctionFixture({
    'a.mjs': `let calls = 0\n${handler('calls += 1; return calls')}`,
  })
  expect((await fixture.invoke('a')).value).toBe(1)
  expect((await fixture.invoke('a')).value).toBe(2)
})

test('five invocations at once share two threads', async () => {
  const source = `import { threadId } from 'node:worker_threads'
    let now = 0
    export const handler = async () => {
      now += 1
      await new Promise((resolve) => setTimeout(resolve, 20))
      now -= 1
      return { threadId, now }
    }`
  await using fixture = new FunctionFixture({ 'a.mjs': source })
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => fixture.invoke('a')))
  const values = answers.map(({ value }) => value as { threadId: number; now: number })
  expect(new Set(values.map(({ threadId }) => threadId)).size).toBe(2)
  expect(values.map(({ now }) => now)).toEqual([0, 0, 0, 0, 0])
})

test('idle threads end after a minute', async () => {
  const minutes: (() => void)[] = []
  const clock = clockThatSleepsThrough(60_000, (end) => minutes.push(end))
  await using fixture = new FunctionFixture(
    { 'a.mjs': `let calls = 0\n${handler('calls += 1; return calls')}` },
    { clock },
  )
  await fixture.invoke('a')
  expect(minutes).toHaveLength(1)
  minutes[0]?.()
  await new Promise(setImmediate)
  expect((await fixture.invoke('a')).value).toBe(1)
})

test("a function's console goes to the log, in bounded lines", async () => {
  const source = handler(`console.log('one\\ntwo %d', 2)
    console.error(new Error('bad').message)
    process.stdout.write('x'.repeat(3_000) + '\\n')
    process.stdout.write('no end')`)
  await using fixture = new FunctionFixture({ 'a.mjs': source })
  await fixture.invoke('a')
  const line = (level: string, text: string) => ({
    level,
    fields: { functionName: 'a', line: text },
    message: 'A function wrote a line.',
  })
  expect(fixture.log).toEqual([
    line('info', 'one'),
    line('info', 'two 2'),
    line('warn', 'bad'),
    line('info', `${'x'.repeat(2_000)}…`),
  ])
})

test('a function that writes without end is cut to 100 lines a second', async () => {
  const source = handler(`for (let n = 0; n < 10_000; n++) console.log(n)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    console.log('after')`)
  await using fixture = new FunctionFixture({ 'a.mjs': source })
  await fixture.invoke('a')
  const lines = fixture.lines()
  expect(lines.at(-1)).toBe('after')
  expect(lines.at(-2)).toMatch(/^\d+ lines were left out: too many a second$/)
  expect(lines.length).toBeLessThan(1_000)
})
