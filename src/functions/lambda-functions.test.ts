/** Against a server that says what Lambda's API would say. */
import { strict as assert } from 'node:assert'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { eventOf, functionArn } from '../../test/fakes/function-fixtures.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { ScriptedAnswer } from '../../test/fakes/scripted-http.ts'
import { systemClock } from '../base/clock.ts'
import { parseLambdaArn } from './lambda-arn.ts'
import type { LambdaArn } from './lambda-arn.ts'
import { LambdaFunctions } from './lambda-functions.ts'

const never = new AbortController().signal

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
})
afterEach(() => void vi.unstubAllEnvs())

function arnOf(text: string): LambdaArn {
  const arn = parseLambdaArn(text)
  assert(arn !== undefined)
  return arn
}

const ARN = arnOf(`${functionArn('enrich').replace('us-east-1', 'eu-west-1')}:live`)

async function withServer<T>(
  answer: ScriptedAnswer,
  work: (functions: LambdaFunctions, server: ScriptedHttp) => Promise<T>,
  timeoutMs = 5_000,
): Promise<T> {
  await using server = await ScriptedHttp.start(() => answer)
  const functions = new LambdaFunctions({
    endpoint: server.url,
    region: 'us-west-2',
    timeoutMs,
    clock: systemClock,
  })
  try {
    return await work(functions, server)
  } finally {
    await functions.close()
  }
}

test('a function is invoked by a signed request, in the region of its ARN', async () => {
  await withServer({ status: 200, body: '{"records":[]}' }, async (functions, server) => {
    const answer = await functions.invoke(ARN, eventOf('x'), never)
    expect(answer).toEqual({ value: { records: [] }, sizeBytes: 14 })
    const [request] = server.requests
    expect(server.requests).toHaveLength(1)
    expect(request).toMatchObject({
      method: 'POST',
      path: `/2015-03-31/functions/${encodeURIComponent(ARN.arn)}/invocations`,
      headers: {
        'x-amz-invocation-type': 'RequestResponse',
        authorization: expect.stringMatching(
          /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d+\/eu-west-1\/lambda\/aws4_request, /,
        ) as string,
      },
    })
    expect(JSON.parse(String(request?.body))).toEqual(eventOf('x'))
  })
})

test("an ARN without a region is taken for the service's own", async () => {
  await withServer({ status: 200, body: '{}' }, async (functions, server) => {
    await functions.invoke(arnOf('arn:aws:lambda:::function:enrich'), eventOf('x'), never)
    expect(server.requests[0]?.headers.authorization).toContain('/us-west-2/lambda/')
  })
})

function refusal(status: number, type: string): ScriptedAnswer {
  const headers = { 'x-amzn-errortype': type, 'content-type': 'application/json' }
  return { status, headers, body: '{"message":"no"}' }
}

test.for<[string, ScriptedAnswer, string, string]>([
  [
    'a function that throws',
    {
      status: 200,
      headers: { 'X-Amz-Function-Error': 'Unhandled' },
      body: '{"errorType":"KeyError","errorMessage":"no such field"}',
    },
    'FunctionError',
    'KeyError: no such field',
  ],
  [
    'a function that throws and says nothing',
    { status: 200, headers: { 'X-Amz-Function-Error': 'Unhandled' }, body: 'null' },
    'FunctionError',
    'Unhandled: it says no more',
  ],
  [
    'no right',
    refusal(403, 'AccessDeniedException'),
    'InvokeAccessDenied',
    'AccessDeniedException: no',
  ],
  [
    'a bad key',
    refusal(403, 'UnrecognizedClientException'),
    'InvokeAccessDenied',
    'UnrecognizedClientException: no',
  ],
  [
    'throttling',
    refusal(429, 'TooManyRequestsException'),
    'InvokeLimitExceeded',
    'TooManyRequestsException: no',
  ],
  [
    'no function',
    refusal(404, 'ResourceNotFoundException'),
    'ResourceNotFound',
    'ResourceNotFoundException: no',
  ],
  ['a fault', refusal(500, 'ServiceException'), 'FunctionError', 'ServiceException: no'],
  ['silence', 'hang', 'FunctionError', 'Sandbox.Timedout: Task timed out after 1.00 seconds'],
])('%s is an invocation error, after one request', async ([, answer, errorCode, message]) => {
  const timeoutMs = answer === 'hang' ? 1_000 : 5_000
  await withServer(
    answer,
    async (functions, server) => {
      await expect(functions.invoke(ARN, eventOf('x'), never)).rejects.toMatchObject({
        errorCode: `Lambda.${errorCode}`,
        message,
      })
      expect(server.requests).toHaveLength(1)
    },
    timeoutMs,
  )
})

test('a function is asked for; who may not ask is believed', async () => {
  await withServer({ status: 200, body: '{}' }, async (functions, server) => {
    await functions.find(ARN)
    expect(server.requests).toMatchObject([
      {
        method: 'GET',
        path: expect.stringMatching(/^\/2015-03-31\/functions\/.*\/configuration/) as string,
      },
    ])
  })
  await withServer(refusal(403, 'AccessDeniedException'), (functions) => functions.find(ARN))
  await withServer(refusal(404, 'ResourceNotFoundException'), async (functions) => {
    await expect(functions.find(ARN)).rejects.toMatchObject({
      errorCode: 'Lambda.ResourceNotFound',
    })
  })
})

test('a signal gives up what is under way, with its reason', async () => {
  const stop = new AbortController()
  const reason = new Error('the process ends')
  await withServer('hang', async (functions) => {
    const invocation = functions.invoke(ARN, eventOf('x'), stop.signal)
    stop.abort(reason)
    await expect(invocation).rejects.toBe(reason)
  })
})
