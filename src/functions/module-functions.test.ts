/** Modules as functions: what they may be, and every way in which they can go wrong. */
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { expect, test, vi } from 'vitest'
import { eventOf, FunctionFixture, functionArn } from '../../test/fakes/function-fixtures.ts'
import { InvocationError } from '../functions.ts'

const never = new AbortController().signal
const MEMORY_LOOK_MS = 50

/** A module of which only the handler's body matters. */
function handler(body: string): string {
  return `export async function handler(event, context) { ${body} }`
}

/** A sleep of exactly this length ends only by its signal, or when the test says so. */
function clockThatSleepsThrough(
  lengthMs: number,
  begun: (end: () => void) => void = () => {},
): Clock {
  return {
    ...systemClock,
    sleep(durationMs, signal) {
      if (durationMs !== lengthMs) return systemClock.sleep(durationMs, signal)
      return new Promise((resolve) => {
        begun(resolve)
        signal?.addEventListener('abort', () => resolve())
      })
    },
  }
}

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

test.for([
  ['throws', 'throw new TypeError("no such field")', 'TypeError: no such field'],
  ['throws a text', 'throw "oops"', 'string: oops'],
  ['throws what has no text', 'throw Object.create(null)', 'object: unknown'],
  [
    'throws what hides its message',
    'throw Object.defineProperty(new Error(), "message", { get() { throw 1 } })',
    'object: unknown',
  ],
  ['rejects', 'await Promise.reject(new RangeError("far"))', 'RangeError: far'],
  [
    'answers in a circle',
    'const a = {}; a.a = a; return a',
    /^Runtime.MarshalError: the answer is not JSON: /,
  ],
  ['answers a BigInt', 'return 1n', /^Runtime.MarshalError: /],
  [
    'answers 6 MiB and more',
    'return "x".repeat(6 * 1024 * 1024 + 100)',
    'Function.ResponseSizeTooLarge: the answer has 6291558 bytes, more than 6291556',
  ],
  ['exits', 'process.exit(3)', 'Runtime.ExitError: the function exited with code 3'],
  [
    'recurses for ever',
    'const f = () => f() + 1; f()',
    'RangeError: Maximum call stack size exceeded',
  ],
  [
    'leaves a rejection alone',
    'Promise.reject(new Error("alone")); await new Promise(() => {})',
    'Error: alone',
  ],
  [
    'throws where nobody catches',
    'setImmediate(() => { throw new Error("late") }); await new Promise(() => {})',
    'Error: late',
  ],
] as const)(
  'a function that %s fails, and the next invocation works',
  async ([, body, message]) => {
    await using fixture = new FunctionFixture({
      'a.mjs': handler(`if (event.records.length > 0) { ${body} }\nreturn 'fine'`),
    })
    const error = await fixture.invoke('a').catch((error: unknown) => error)
    expect(error).toBeInstanceOf(InvocationError)
    expect(error).toMatchObject({
      errorCode: 'Lambda.FunctionError',
      message: expect.stringMatching(message) as string,
    })
    expect((await fixture.invoke('a', eventOf())).value).toBe('fine')
  },
)

test.for([
  ['in an endless loop', handler('if (event.records.length > 0) while (true);\nreturn "fine"')],
  [
    'for a promise',
    handler('if (event.records.length > 0) await new Promise(() => {})\nreturn "fine"'),
  ],
  [
    'for a callback',
    'exports.handler = (event, context, done) => { if (event.records.length === 0) done(null, "fine") }',
  ],
] as const)('a function that hangs %s is ended in time', async ([, source]) => {
  const begun: (() => void)[] = []
  const clock = clockThatSleepsThrough(10_000, (end) => {
    if (begun.push(end) === 1) setTimeout(end, 500)
  })
  await using fixture = new FunctionFixture({ 'a.js': source }, { clock })
  await expect(fixture.invoke('a')).rejects.toMatchObject({
    errorCode: 'Lambda.FunctionError',
    message: 'Sandbox.Timedout: Task timed out after 10.00 seconds',
  })
  expect((await fixture.invoke('a', eventOf())).value).toBe('fine')
})

test('a module that hangs while it is loaded is ended in time', async () => {
  const source = `await new Promise(() => {})\n${handler('')}`
  await using fixture = new FunctionFixture({ 'a.mjs': source }, { timeoutMs: 300 })
  await expect(fixture.invoke('a')).rejects.toThrow('Task timed out after 0.30 seconds')
})

test.for([
  ['objects', 'const held = []; while (true) held.push({ a: 1, b: [1, 2, 3] })'],
  ['one array', 'const held = []; while (true) held.push(1)'],
  [
    'texts',
    'let t = "x"; const held = []; while (true) { t = t.length < 1e7 ? t + t : "y"; held.push(t + held.length) }',
  ],
  ['one map', 'const held = new Map(); for (let n = 0; ; n++) held.set(n, n)'],
  ['buffers', 'const held = []; while (true) held.push(Buffer.alloc(1e6, 1))'],
  ['typed arrays', 'const held = []; while (true) held.push(new Float64Array(1e5).fill(1))'],
] as const)('a function that hoards %s is ended, and the process lives on', async ([, body]) => {
  await using fixture = new FunctionFixture({
    'a.mjs': handler(`if (event.records.length > 0) { ${body} }\nreturn 'fine'`),
  })
  await expect(fixture.invoke('a')).rejects.toMatchObject({
    errorCode: 'Lambda.FunctionError',
    message: expect.stringMatching(/^Runtime.OutOfMemory: /) as string,
  })
  expect((await fixture.invoke('a', eventOf())).value).toBe('fine')
})

test.for([
  ['the heap', 'held.push(Array.from({ length: 4e6 }, (_, n) => ({ n })))'],
  ['buffers', 'held.push(Buffer.alloc(150e6, 1))'],
] as const)('a thread that leaks in %s gives its answer and is started again', async ([, body]) => {
  const source = `const held = []\nlet calls = 0\n${handler(`calls += 1; ${body}; return calls`)}`
  const clock = clockThatSleepsThrough(MEMORY_LOOK_MS)
  await using fixture = new FunctionFixture({ 'a.mjs': source }, { clock })
  // The second one would say 2.
  for (const _ of [1, 2]) expect((await fixture.invoke('a')).value).toBe(1)
  expect(fixture.log).toContainEqual({
    level: 'warn',
    fields: { functionName: 'a', heldBytes: expect.any(Number) as number },
    message: 'A function holds too much memory and is started again.',
  })
})

test('what a function does after its answer may end its thread, and is in the log', async () => {
  await using fixture = new FunctionFixture({
    'a.mjs': handler('setTimeout(() => { throw new Error("late") }, 200); return "fine"'),
  })
  expect((await fixture.invoke('a')).value).toBe('fine')
  const line = {
    level: 'warn',
    fields: {
      functionName: 'a',
      error: new InvocationError('Lambda.FunctionError', 'Error: late'),
    },
    message: 'A function failed between invocations.',
  }
  await vi.waitFor(() => expect(fixture.log).toContainEqual(line))
  expect((await fixture.invoke('a')).value).toBe('fine')
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

test('a signal gives up what is under way and what waits, and the thread with it', async () => {
  await using fixture = new FunctionFixture({
    'a.mjs': handler('if (event.records.length > 0) while (true);\nreturn "fine"'),
  })
  const lease = await fixture.functions.lease(functionArn('a'))
  const stop = new AbortController()
  const invocations = [1, 2, 3].map(() => lease.invoke(eventOf('x'), stop.signal))
  const reason = new Error('the process ends')
  stop.abort(reason)
  const outcomes = await Promise.allSettled(invocations)
  expect(outcomes).toEqual([1, 2, 3].map(() => ({ status: 'rejected', reason })))
  await expect(lease.invoke(eventOf(), stop.signal)).rejects.toBe(reason)
  expect((await fixture.invoke('a', eventOf())).value).toBe('fine')
})

test('closing fails what is under way', async () => {
  await using fixture = new FunctionFixture({ 'a.mjs': handler('while (true);') })
  const outcome = fixture.invoke('a').catch((error: unknown) => error)
  // The thread is on its way as soon as the lease is there.
  await fixture.functions.lease(functionArn('a'))
  await fixture.functions.close()
  expect(await outcome).toMatchObject({ message: 'Runtime.ExitError: the function was ended' })
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

test('the stack of an error is in the log', async () => {
  await using fixture = new FunctionFixture({ 'a.mjs': handler('throw new Error("bad")') })
  await expect(fixture.invoke('a')).rejects.toThrow('Error: bad')
  expect(fixture.lines()).toEqual([
    expect.stringMatching(/^Error: bad\n +at handler \(.*a\.mjs:1:/) as string,
  ])
})

test.for([
  [
    'has no handler',
    'a.ts',
    'export const main = 1',
    'Runtime.HandlerNotFound: the module exports no function named handler',
  ],
  ['is no JavaScript', 'a.ts', 'export const = 1', /^SyntaxError: /],
  ['throws', 'a.mjs', 'throw new Error("at load")', 'Error: at load'],
  ['misses an import', 'a.mjs', "import './none.mjs'", /^Error: Cannot find module /],
] as const)(
  'a module that %s fails each invocation, and the log says so',
  async ([, file, source, message]) => {
    await using fixture = new FunctionFixture({ [file]: source })
    for (const _ of [1, 2]) {
      await expect(fixture.invoke('a')).rejects.toMatchObject({
        errorCode: 'Lambda.FunctionError',
        message: expect.stringMatching(message) as string,
      })
    }
    expect(fixture.log).toContainEqual({
      level: 'warn',
      fields: { functionName: 'a', error: expect.any(InvocationError) as Error },
      message: 'A function can not be loaded.',
    })
  },
)
