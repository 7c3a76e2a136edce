/** Every way in which a function in a thread can go wrong; the next invocation works. */
import { expect, test, vi } from 'vitest'
import {
  clockThatSleepsThrough,
  eventOf,
  FunctionFixture,
  functionArn,
  handler,
} from '../../test/fakes/function-fixtures.ts'
import { InvocationError } from '../functions.ts'

const MEMORY_LOOK_MS = 50

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
