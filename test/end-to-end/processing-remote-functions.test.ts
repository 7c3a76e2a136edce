/**
 * Functions that are no modules of this host: behind a URL that speaks the invoke protocol of Lambda's
 * Runtime Interface Emulator, and at an endpoint that speaks Lambda's own API. Both are scripted here.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TransformationEvent } from '../../src/functions.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { ScriptedHttp } from '../fakes/scripted-http.ts'
import type { ScriptedAnswer, ScriptedRequest } from '../fakes/scripted-http.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { freePort } from '../servers/process.ts'
import { s3Objects } from './objects.ts'
import type { DeliveredObject } from './objects.ts'
import {
  deliveredText,
  errorRecords,
  functionArn,
  lambda,
  processing,
  ProcessingService,
  s3Configuration,
} from './processing-service.ts'
import { bucketOf, s3Environment } from './streams.ts'

const resources = new AsyncDisposableStack()
let s3: FaultyS3
let emulator: ScriptedHttp
let lambdaApi: ScriptedHttp
let standpipe: ProcessingService

beforeAll(async () => {
  // With credentials, which signed requests to Lambda take, objects go to S3.
  s3 = resources.use(await FaultyS3.start(new SeededRandom(1)))
  emulator = resources.use(await ScriptedHttp.start(shouted))
  lambdaApi = resources.use(await ScriptedHttp.start(answerOfLambda))
  standpipe = resources.use(
    await ProcessingService.start(
      {},
      {
        ...s3Environment(s3),
        STANDPIPE_LAMBDA_ENDPOINT: lambdaApi.url,
        STANDPIPE_FUNCTIONS: JSON.stringify({
          emulated: emulator.url,
          nowhere: `http://127.0.0.1:${await freePort()}`,
          lost: 'lost.ts',
        }),
      },
    ),
  )
})
afterAll(() => resources.disposeAsync())

function objects(streamName: string): DeliveredObject[] {
  return s3Objects(s3.bucket(bucketOf(streamName)))
}

/** What a function would answer that writes all in capitals. */
function shouted({ body }: ScriptedRequest): ScriptedAnswer {
  const { records } = JSON.parse(body.toString()) as TransformationEvent
  const transformed = records.map(({ recordId, data }) => {
    const text = Buffer.from(data, 'base64').toString().toUpperCase()
    return { recordId, result: 'Ok', data: Buffer.from(text).toString('base64') }
  })
  return { status: 200, body: JSON.stringify({ records: transformed }) }
}

function refusal(status: number, type: string): ScriptedAnswer {
  const headers = { 'x-amzn-errortype': type, 'content-type': 'application/json' }
  return { status, headers, body: JSON.stringify({ message: `${type}!` }) }
}

const invocationCounts = new Map<string, number>()

/** Functions by name; those that are not there are unknown to GetFunctionConfiguration, too. */
function answerOfLambda(request: ScriptedRequest): ScriptedAnswer {
  const name = /function%3A([a-z-]+)\//.exec(request.path)?.[1] ?? ''
  if (name === 'unknown') return refusal(404, 'ResourceNotFoundException')
  if (request.method === 'GET') return { status: 200, body: '{}' }
  const count = (invocationCounts.get(name) ?? 0) + 1
  invocationCounts.set(name, count)
  switch (name) {
    case 'throttled':
      return count <= 2 ? refusal(429, 'TooManyRequestsException') : shouted(request)
    case 'overloaded':
      return refusal(429, 'TooManyRequestsException')
    case 'forbidden':
      return refusal(403, 'AccessDeniedException')
    case 'broken':
      return {
        status: 200,
        headers: { 'x-amz-function-error': 'Unhandled' },
        body: '{"errorType":"KeyError","errorMessage":"no such field"}',
      }
    case 'resets':
      return 'reset'
    default:
      return shouted(request)
  }
}

test('a function behind a URL gets the event as the emulator would', async () => {
  await standpipe.createS3Stream('emulated', processing(lambda('emulated')))
  const ids = await standpipe.put('emulated', ['one ', 'two'])
  expect(await standpipe.settled('emulated')).toMatchObject({ accepted: 2, delivered: 2 })
  expect(deliveredText(objects('emulated'))).toBe('ONE TWO')
  const [request] = emulator.requests
  expect(emulator.requests).toHaveLength(1)
  expect(request).toMatchObject({
    method: 'POST',
    path: '/2015-03-31/functions/function/invocations',
  })
  const { records } = JSON.parse(String(request?.body)) as TransformationEvent
  expect(records.map(({ recordId }) => recordId)).toEqual(ids)
})

test('a function that nobody has here is invoked at the endpoint of Lambda, signed', async () => {
  await standpipe.createS3Stream('real', processing(lambda('real')))
  await standpipe.put('real', ['one ', 'two'])
  expect(await standpipe.settled('real')).toMatchObject({ accepted: 2, delivered: 2 })
  expect(deliveredText(objects('real'))).toBe('ONE TWO')
  const path = `/2015-03-31/functions/${encodeURIComponent(functionArn('real'))}/invocations`
  expect(lambdaApi.requests.filter((request) => request.path === path)).toMatchObject([
    {
      method: 'POST',
      headers: {
        'x-amz-invocation-type': 'RequestResponse',
        authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 .*\/us-east-1\/lambda\//),
      },
    },
  ])
})

test.each([
  ['throttled', 2, 'none'],
  ['overloaded', 1, 'Lambda.InvokeLimitExceeded'],
  ['forbidden', 1, 'Lambda.InvokeAccessDenied'],
  ['broken', 1, 'Lambda.FunctionError'],
  ['resets', 0, 'Lambda.FunctionError'],
])('Lambda says that the function is %s: after %i retries the error is %s', async (...row) => {
  const [name, retries, errorCode] = row
  await standpipe.createS3Stream(
    name,
    processing(lambda(name, { NumberOfRetries: String(retries) })),
  )
  await standpipe.put(name, ['one', 'two'])
  const errored = errorCode === 'none' ? 0 : 2
  expect(await standpipe.settled(name)).toMatchObject({ delivered: 2 - errored, errored })
  expect(invocationCounts.get(name)).toBe(retries + 1)
  const failures = errorRecords(objects(name), 'processing-failed')
  expect(failures.map((failure) => [failure.errorCode, failure.attemptsMade])).toEqual(
    Array.from({ length: errored }, () => [errorCode, retries + 1]),
  )
})

test.each([
  ['nowhere', /the setting functions maps it to http:\/\/127.*, where nothing answers: .*REFUSED/],
  ['lost', /the setting functions maps it to .*lost\.ts, which is not there/],
  ['unknown', /nothing answers to it\. Name a module or URL .* ResourceNotFoundException!/],
])('a stream is refused whose function %s does not answer, and so is an update', async (...row) => {
  const [name, message] = row
  const refused = { name: 'InvalidArgumentException', message: expect.stringMatching(message) }
  const configuration = s3Configuration('refused', processing(lambda(name)))
  await expect(
    standpipe.firehose.createDeliveryStream({
      DeliveryStreamName: `refused-${name}`,
      ExtendedS3DestinationConfiguration: configuration,
    }),
  ).rejects.toMatchObject(refused)
  await expect(
    standpipe.firehose.updateDestination({
      DeliveryStreamName: 'emulated',
      CurrentDeliveryStreamVersionId: '1',
      DestinationId: 'destinationId-000000000001',
      ExtendedS3DestinationUpdate: processing(lambda(name)),
    }),
  ).rejects.toMatchObject(refused)
  const { DeliveryStreamNames } = await standpipe.firehose.listDeliveryStreams({ Limit: 100 })
  expect(DeliveryStreamNames).not.toContain(`refused-${name}`)
})
