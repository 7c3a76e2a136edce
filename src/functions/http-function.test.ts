import { expect, test } from 'vitest'
import { eventOf } from '../../test/fakes/function-fixtures.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { ScriptedAnswer } from '../../test/fakes/scripted-http.ts'
import { systemClock } from '../base/clock.ts'
import { InvocationError } from '../functions.ts'
import type { FunctionAnswer } from '../functions.ts'
import { HttpFunctions } from './http-function.ts'

const never = new AbortController().signal

async function invoke(url: string, timeoutMs = 5_000, signal = never): Promise<FunctionAnswer> {
  const functions = new HttpFunctions({ timeoutMs, clock: systemClock })
  try {
    return await functions.invoke(url, eventOf('x', 'y'), signal)
  } finally {
    await functions.close()
  }
}

test.for([
  ['', '/2015-03-31/functions/function/invocations'],
  ['/', '/2015-03-31/functions/function/invocations'],
  ['/transform?key=1', '/transform?key=1'],
])('the event is posted to a URL that ends with %j at %s', async ([suffix, path]) => {
  await using server = await ScriptedHttp.start(() => ({ status: 200, body: '{"records":[]}' }))
  expect(await invoke(server.url + suffix)).toEqual({ value: { records: [] }, sizeBytes: 14 })
  expect(server.requests).toMatchObject([
    { method: 'POST', path, headers: { 'content-type': 'application/json' } },
  ])
  expect(JSON.parse(String(server.requests[0]?.body))).toEqual(eventOf('x', 'y'))
})

const error = '{"errorMessage":"no such field","errorType":"KeyError","stackTrace":[]}'

test.for<[string, ScriptedAnswer, string, string]>([
  [
    'an error in the answer',
    { status: 200, body: error },
    'FunctionError',
    'KeyError: no such field',
  ],
  [
    'an error in a header',
    { status: 200, headers: { 'X-Amz-Function-Error': 'Unhandled' }, body: '"bad"' },
    'FunctionError',
    'Error: "bad"',
  ],
  [
    'more than 6 MiB',
    { status: 200, body: `"${'x'.repeat(6 * 1024 * 1024 + 99)}"` },
    'FunctionError',
    'Function.ResponseSizeTooLarge: the answer has more than 6291556 bytes',
  ],
  ['HTTP 401', { status: 401 }, 'InvokeAccessDenied', 'HTTP status 401: '],
  ['HTTP 403', { status: 403, body: 'no' }, 'InvokeAccessDenied', 'HTTP status 403: no'],
  ['HTTP 404', { status: 404 }, 'ResourceNotFound', 'HTTP status 404: '],
  ['HTTP 429', { status: 429 }, 'InvokeLimitExceeded', 'HTTP status 429: '],
  ['HTTP 302', { status: 302 }, 'FunctionError', 'HTTP status 302: '],
  [
    'HTTP 500',
    { status: 500, body: 'x'.repeat(300) },
    'FunctionError',
    `HTTP status 500: ${'x'.repeat(200)}`,
  ],
  ['a cut connection', 'reset', 'FunctionError', 'Network: read ECONNRESET'],
  ['nothing', 'hang', 'FunctionError', 'Sandbox.Timedout: Task timed out after 0.30 seconds'],
])('%s is an invocation error', async ([, answer, errorCode, message]) => {
  await using server = await ScriptedHttp.start(() => answer)
  const outcome = await invoke(server.url, answer === 'hang' ? 300 : 5_000).catch(
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(InvocationError)
  expect(outcome).toMatchObject({
    errorCode: `Lambda.${errorCode}`,
    message,
  })
})

test.for([
  ['an empty answer', '', null],
  ['junk', '[1]', [1]],
  ['what is not JSON', '<html>', '<html>'],
  [
    'records beside an error message',
    '{"records":[],"errorMessage":"x"}',
    { records: [], errorMessage: 'x' },
  ],
] as const)('%s is an answer', async ([, body, value]) => {
  await using server = await ScriptedHttp.start(() => ({ status: 200, body }))
  expect(await invoke(server.url)).toEqual({ value, sizeBytes: body.length })
})

test('nobody there is an invocation error', async () => {
  await expect(invoke('http://127.0.0.1:1/')).rejects.toMatchObject({
    errorCode: 'Lambda.FunctionError',
    message: 'Network: connect ECONNREFUSED 127.0.0.1:1',
  })
})

test('a signal gives up what is under way, with its reason', async () => {
  const stop = new AbortController()
  const reason = new Error('the process ends')
  await using server = await ScriptedHttp.start(() => {
    stop.abort(reason)
    return 'hang'
  })
  await expect(invoke(server.url, 5_000, stop.signal)).rejects.toBe(reason)
})
