import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { EncodedOutput } from '../../src/destination.ts'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { contextWith, DeliveredBatch, streamTo } from '../../test/fakes/delivered-batch.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { ScriptedAnswer, ScriptedRequest } from '../../test/fakes/scripted-http.ts'
import { splunk } from './index.ts'

const CONTEXT = { strictAws: false, objectStoreKind: 'folder' } as const
const S3Configuration = {
  RoleARN: 'arn:aws:iam::000000000000:role/firehose',
  BucketARN: 'arn:aws:s3:::failed',
}

function configuration(endpoint: string, members: JsonObject = {}): JsonObject {
  const given = {
    HECEndpoint: endpoint,
    HECEndpointType: 'Raw',
    HECToken: 'SESAME',
    S3Configuration,
    ...members,
  }
  return splunk.create('SplunkDestinationConfiguration', given, CONTEXT)
}

function json(status: number, body: object): ScriptedAnswer {
  return { status, body: JSON.stringify(body) }
}

/** A collector that takes a post as number 7, and acknowledges it when it is asked a second time. */
function taking(): (request: ScriptedRequest) => ScriptedAnswer {
  let questions = 0
  return ({ path }) => {
    if (!path.includes('/ack')) return json(200, { text: 'Success', code: 0, ackId: 7 })
    questions += 1
    return json(200, { acks: { 7: questions > 1 } })
  }
}

async function oneBatch(
  http: ScriptedHttp,
  members: JsonObject = {},
  context = contextWith(),
  records: readonly string[] = ['a\n', '', 'b'],
) {
  const stream = streamTo('Splunk', configuration(`${http.url}/`, members))
  const batch = new DeliveredBatch(splunk.open(context), stream, [records])
  const [output] = (await batch.encode()) as [EncodedOutput]
  return { batch, output }
}

async function failureOf(attempt: Promise<unknown>): Promise<DeliveryError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof DeliveryError) return error
  throw new Error('The attempt did not fail', { cause: error })
}

test.each(['Raw', 'Event'])(
  '%s: records are posted and acknowledged on a channel',
  async (type) => {
    await using http = await ScriptedHttp.start(taking())
    const { batch, output } = await oneBatch(http, { HECEndpointType: type })
    expect(await batch.deliver(output)).toEqual([])

    const { channel } = output.target as { channel: string }
    expect(channel).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const requests = http.requests.map(({ path, headers, body }) => ({
      path,
      authorization: headers['authorization'],
      channel: headers['x-splunk-request-channel'],
      body: body.toString(),
    }))
    const common = { authorization: 'Splunk SESAME', channel }
    const question = {
      ...common,
      path: `/services/collector/ack?channel=${channel}`,
      body: '{"acks":[7]}',
    }
    const path = `/services/collector/${type.toLowerCase()}?channel=${channel}`
    expect(requests).toEqual([{ ...common, path, body: 'a\nb' }, question, question])
  },
)

test('a repeat is on the same channel, and carries only what is pending', async () => {
  await using http = await ScriptedHttp.start(() => ({ status: 503 }))
  const { batch, output } = await oneBatch(http)
  await failureOf(batch.deliver(output))
  http.answer = taking()
  const [again] = (await batch.encode([output])) as [EncodedOutput]
  await batch.deliver(again, { pending: (ordinal) => ordinal === 2 })

  const [first, second] = http.requests as [ScriptedRequest, ScriptedRequest]
  expect(second.path).toBe(first.path)
  expect([first.body.toString(), second.body.toString()]).toEqual(['a\nb', 'b'])
})

test('AppendDelimiterToRecord puts a line feed between records', async () => {
  await using http = await ScriptedHttp.start(taking())
  const { batch, output } = await oneBatch(http, {
    ProcessingConfiguration: {
      Enabled: true,
      Processors: [{ Type: 'AppendDelimiterToRecord' }],
    },
  })
  await batch.deliver(output)
  expect(http.requests[0]?.body.toString()).toBe('a\n\n\nb')
})

test('questions go to the node that took the post, by its cookies', async () => {
  const answer = taking()
  await using http = await ScriptedHttp.start((request) => {
    const answered = answer(request)
    if (typeof answered === 'string') return answered
    return { ...answered, headers: { 'Set-Cookie': 'AWSALB=node1; Path=/' } }
  })
  const { batch, output } = await oneBatch(http)
  await batch.deliver(output)
  expect(http.requests.map(({ headers }) => headers['cookie'])).toEqual([
    undefined,
    'AWSALB=node1',
    'AWSALB=node1',
  ])
})

const ACK_FAULTS: readonly (readonly [string, ScriptedAnswer])[] = [
  ['always says no', json(200, { acks: { 7: false } })],
  ['makes no sense', { status: 200, body: 'ok' }],
  ['is an error', { status: 500 }],
  ['never comes', 'reset'],
]

test.each(ACK_FAULTS)('an acknowledgement that %s ends in a timeout', async (_name, fault) => {
  const clock = new ManualClock()
  await using http = await ScriptedHttp.start(({ path }) =>
    path.includes('/ack') ? fault : json(200, { code: 0, ackId: 7 }),
  )
  const { batch, output } = await oneBatch(http, {}, contextWith({ clock }))
  const running = setInterval(() => clock.advance(1_000), 5)
  const failure = await failureOf(batch.deliver(output))
  clearInterval(running)
  expect(failure).toMatchObject({
    errorCode: 'Splunk.AckTimeout',
    retryable: true,
    effect: 'unknown',
    brake: false,
  })
})

test.each<[string, number, object, Partial<DeliveryError>]>([
  ['busy', 503, { code: 9 }, { errorCode: 'Splunk.IndexerBusy', effect: 'none' }],
  ['full', 429, { code: 26 }, { errorCode: 'Splunk.IndexerBusy', effect: 'none' }],
  ['broken', 500, { code: 8 }, { errorCode: 'Splunk.ServerError', effect: 'unknown' }],
  ['of no such index', 400, { code: 7 }, { errorCode: 'Splunk.InvalidIndex', brake: false }],
  ['of a bad token', 403, { code: 4 }, { errorCode: 'Splunk.InvalidToken', brake: true }],
  ['of no token', 401, { code: 2 }, { errorCode: 'Splunk.InvalidToken', brake: true }],
  ['of a disabled token', 403, { code: 1 }, { errorCode: 'Splunk.DisabledToken', brake: true }],
  ['without acks', 400, { code: 14 }, { errorCode: 'Splunk.DisabledAck', brake: true }],
  ['no collector', 404, {}, { errorCode: 'Splunk.InvalidEndpoint', brake: true }],
  [
    'one that gives no ackId',
    200,
    { code: 0 },
    { errorCode: 'Splunk.DisabledAck', effect: 'unknown', brake: true },
  ],
])('a collector that is %s', async (_name, status, body, expected) => {
  await using http = await ScriptedHttp.start(() => json(status, { ...body, text: 'SESAME' }))
  const { batch, output } = await oneBatch(http)
  const failure = await failureOf(batch.deliver(output))
  expect(failure).toMatchObject({ retryable: true, ...expected })
  expect(failure.message).not.toContain('SESAME')
  expect(http.requests).toHaveLength(1)
})

test('an acknowledgement that is refused for want of permission sets the brake', async () => {
  await using http = await ScriptedHttp.start(({ path }) =>
    path.includes('/ack') ? json(400, { code: 14 }) : json(200, { code: 0, ackId: 7 }),
  )
  const { batch, output } = await oneBatch(http)
  expect(await failureOf(batch.deliver(output))).toMatchObject({
    errorCode: 'Splunk.DisabledAck',
    effect: 'unknown',
    brake: true,
  })
})

/** Refuses whatever has a record in it that is bad, and acknowledges at once what has not. */
function picky(bad: string): (request: ScriptedRequest) => ScriptedAnswer {
  return ({ path, body }) => {
    if (path.includes('/ack')) return json(200, { acks: { 7: true } })
    if (body.includes(bad)) return json(400, { text: 'Invalid data format', code: 6 })
    return json(200, { code: 0, ackId: 7 })
  }
}

test('of records among which one is refused, the others arrive', async () => {
  await using http = await ScriptedHttp.start(picky('bad'))
  const records = Array.from({ length: 100 }, (_, index) => (index === 42 ? 'bad' : `${index};`))
  const { batch, output } = await oneBatch(http, {}, contextWith(), records)
  const failures = await batch.deliver(output)

  expect(failures).toEqual([
    {
      ordinal: 42,
      errorCode: 'Splunk.InvalidDataFormat',
      errorMessage: 'Splunk answered 400 {"text":"Invalid data format","code":6}',
      retryable: false,
      effect: 'none',
    },
  ])
  const arrived = http.requests
    .filter(({ path, body }) => path.includes('/raw') && !body.includes('bad'))
    .map(({ body }) => body.toString())
  expect(arrived.join('')).toBe(records.filter((record) => record !== 'bad').join(''))
})

test('what was not sent because the collector failed under way is tried again', async () => {
  const answer = picky('bad')
  await using http = await ScriptedHttp.start((request) =>
    request.body.includes('3;') && !request.body.includes('bad') ? 'reset' : answer(request),
  )
  const records = ['bad', '1;', '2;', '3;', '4;', '5;', '6;', '7;']
  const { batch, output } = await oneBatch(http, {}, contextWith(), records)
  const failures = await batch.deliver(output)
  expect(
    failures.map(({ ordinal, retryable, effect }) => ({ ordinal, retryable, effect })),
  ).toEqual([
    { ordinal: 0, retryable: false, effect: 'none' },
    { ordinal: 2, retryable: true, effect: 'unknown' },
    { ordinal: 3, retryable: true, effect: 'unknown' },
    { ordinal: 4, retryable: true, effect: 'none' },
    { ordinal: 5, retryable: true, effect: 'none' },
    { ordinal: 6, retryable: true, effect: 'none' },
    { ordinal: 7, retryable: true, effect: 'none' },
  ])
})

test('many that are refused cost a bounded number of requests', async () => {
  await using http = await ScriptedHttp.start(picky(';'))
  const records = Array.from({ length: 1_000 }, (_, index) => `${index};`)
  const { batch, output } = await oneBatch(http, {}, contextWith(), records)
  expect(await batch.deliver(output)).toHaveLength(1_000)
  expect(http.requests.length).toBeLessThan(200)
})

test("the token comes from the host's secrets when AWS would take it from its own", async () => {
  await using http = await ScriptedHttp.start(taking())
  const connections = {
    find: () => undefined,
    secret: () => Promise.resolve({ hec_token: 'from the host' }),
  }
  const { batch, output } = await oneBatch(
    http,
    { SecretsManagerConfiguration: { Enabled: true, SecretARN: 'arn:secret' } },
    contextWith({ connections }),
  )
  await batch.deliver(output)
  expect(http.requests[0]?.headers['authorization']).toBe('Splunk from the host')
})

test('what is given up goes to the error output with the member that AWS has', async () => {
  await using http = await ScriptedHttp.start(taking())
  const { batch, output } = await oneBatch(http)
  const policy = splunk.open(contextWith()).failurePolicy?.(batch.stream)
  expect(policy).toMatchObject({
    retryDurationMs: 300_000,
    atLeastOnce: true,
    errorOutputType: 'splunk-failed',
  })
  const frozen = { ...output, sizeBytes: 0, sha256: '', formerSha256s: [] }
  expect(policy?.errorMembers(2, frozen, batch.batch)).toEqual({
    EventId: expect.stringMatching(/^\d{55}2\.0$/) as string,
  })
})
