/**
 * How the store takes answers that a conforming server gives seldom or never. What it does with real
 * servers is in test/end-to-end/object-store.test.ts.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DeliveryError } from '../destination.ts'
import type { PutObject } from '../object-store.ts'
import { S3ObjectStore } from './s3-object-store.ts'
import type { S3ObjectStoreOptions } from './s3-object-store.ts'

const NOT_ABORTED = new AbortController().signal

let server: Server
let store: S3ObjectStore
/** Method and condition of each request, e.g. `PUT *`. */
let requests: string[]
/** What the server does instead of storing; undefined where it stores. */
let respond: (request: IncomingMessage, response: ServerResponse) => boolean
let objects: Map<string, Buffer>
let conditions: 'held' | 'ignored' | 'refused'

beforeEach(async () => {
  requests = []
  respond = () => false
  objects = new Map()
  conditions = 'held'
  server = createServer((request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  store = openStore({})
})
afterEach(async () => {
  await store.close()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

test('the first put finds out that conditions hold, and is not repeated after that', async () => {
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  await store.put(objectOf('b', 'two'), NOT_ABORTED)
  expect(requests).toEqual(['PUT *', 'PUT *', 'PUT *'])
})

test.each([
  ['ignored', ['PUT *', 'PUT *']],
  ['refused', ['PUT *', 'HEAD', 'PUT']],
] as const)('where conditions are %s, keys are looked at first', async (kind, firstPut) => {
  conditions = kind
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  expect(requests.splice(0)).toEqual(firstPut)
  await store.put(objectOf('b', 'two'), NOT_ABORTED)
  expect(requests.splice(0)).toEqual(['HEAD', 'PUT'])
  await store.put(objectOf('b', 'two'), NOT_ABORTED)
  expect(requests.splice(0)).toEqual(['HEAD', 'GET'])
  expect(await failureOf(objectOf('b', 'six'))).toMatchObject({
    errorCode: 'S3.PreconditionFailed',
    retryable: false,
  })
  expect(objects.get('/bucket/b')?.toString()).toBe('two')
})

test('an object without a checksum is read and compared', async () => {
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  requests = []
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  expect(requests).toEqual(['PUT *', 'HEAD', 'GET'])
})

test('an object that is there and can not be looked at may be ours', async () => {
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  respond = answer(403, '', 'HEAD')
  expect(await failureOf(objectOf('a', 'one'))).toMatchObject({
    errorCode: 'S3.AccessDenied',
    retryable: true,
    effect: 'unknown',
    brake: true,
  })
})

test('a failed attempt is one request', async () => {
  respond = answer(500, errorBody('InternalError'))
  await failureOf(objectOf('a', 'one'))
  expect(requests).toEqual(['PUT *'])
})

const none = { retryable: true, effect: 'none', brake: false }
const unknown = { retryable: true, effect: 'unknown', brake: false }
const braked = { retryable: true, effect: 'none', brake: true }

test.each([
  [403, errorBody('AccessDenied'), { errorCode: 'S3.AccessDenied', ...braked }],
  [403, '', { errorCode: 'S3.AccessDenied', ...braked }],
  [403, errorBody('AllAccessDisabled'), { errorCode: 'S3.AllAccessDisabled', ...braked }],
  [401, 'Who are you?', { errorCode: 'S3.AccessDenied', ...braked }],
  [404, errorBody('NoSuchBucket'), { errorCode: 'S3.NoSuchBucket', ...braked }],
  [301, errorBody('PermanentRedirect'), { errorCode: 'S3.PermanentRedirect', ...braked }],
  [405, errorBody('MethodNotAllowed'), { errorCode: 'S3.MethodNotAllowed', ...none }],
  [400, errorBody('KMS.NotFoundException'), { errorCode: 'S3.KMS.NotFoundException', ...braked }],
  [400, errorBody('InvalidDigest'), { errorCode: 'S3.InvalidDigest', ...none }],
  [
    409,
    errorBody('ConditionalRequestConflict'),
    { errorCode: 'S3.ConditionalRequestConflict', ...unknown },
  ],
  [503, errorBody('SlowDown'), { errorCode: 'S3.SlowDown', ...unknown }],
  [500, errorBody('InternalError'), { errorCode: 'S3.InternalError', ...unknown }],
  [502, '<html>Bad gateway</html>', { errorCode: 'S3.InternalError', ...unknown }],
  [200, '<html>Please log in</html>', { errorCode: 'S3.InternalError', ...unknown }],
])('answer %i %s is classified', async (status, body, classification) => {
  respond = answer(status, body, 'PUT')
  expect(await failureOf(objectOf('a', 'one'))).toMatchObject(classification)
})

test('a connection that breaks may have had an effect', async () => {
  respond = (request) => Boolean(request.socket.resetAndDestroy())
  expect(await failureOf(objectOf('a', 'one'))).toMatchObject({
    errorCode: 'S3.ConnectionFailed',
    ...unknown,
  })
})

test('an answer that stops in the middle is given up', async () => {
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  await store.close()
  store = openStore({ requestTimeoutMs: 200 })
  respond = (request, response) => {
    if (request.method !== 'GET') return false
    response.writeHead(200, { 'content-length': '3' })
    response.write('o')
    return true
  }
  expect(await failureOf(objectOf('a', 'one'))).toMatchObject({
    errorCode: 'S3.RequestTimeout',
    ...unknown,
  })
})

test('a server that only ever says to continue is given up', async () => {
  await store.close()
  store = openStore({ requestTimeoutMs: 200 })
  respond = (_request, response) => {
    const talking = setInterval(() => response.writeContinue(), 20)
    response.once('close', () => clearInterval(talking))
    return true
  }
  expect(await failureOf(objectOf('a', 'one'))).toMatchObject({
    errorCode: 'S3.RequestTimeout',
    ...unknown,
  })
})

test.each([
  [undefined, undefined],
  [true, 'bucket-owner-full-control'],
])('the owner of the bucket is given the object only on demand', async (wanted, acl) => {
  await store.close()
  store = openStore(wanted === undefined ? {} : { bucketOwnerFullControl: wanted })
  const acls: unknown[] = []
  respond = (request) => {
    acls.push(request.headers['x-amz-acl'])
    return false
  }
  await store.put(objectOf('a', 'one'), NOT_ABORTED)
  expect(new Set(acls)).toEqual(new Set([acl]))
})

test('without credentials nothing is sent', async () => {
  await store.close()
  store = openStore({
    credentials: () => {
      const error = new Error('Could not load credentials from any providers')
      return Promise.reject(Object.assign(error, { name: 'CredentialsProviderError' }))
    },
  })
  expect(await failureOf(objectOf('a', 'one'))).toMatchObject({
    errorCode: 'S3.CredentialsNotFound',
    ...braked,
  })
  expect(requests).toEqual([])
})

function openStore(options: Partial<S3ObjectStoreOptions>): S3ObjectStore {
  const { port } = server.address() as AddressInfo
  return new S3ObjectStore({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    ...options,
  })
}

function objectOf(key: string, text: string): PutObject {
  const bytes = Buffer.from(text)
  const content = {
    sizeBytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    read: (start: number, end: number) => Promise.resolve(bytes.subarray(start, end)),
    dispose: () => Promise.resolve(),
  }
  return { bucket: 'bucket', key, content, contentType: 'text/plain', formerSha256s: [] }
}

async function failureOf(object: PutObject): Promise<unknown> {
  const error: unknown = await store.put(object, NOT_ABORTED).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(DeliveryError)
  return error
}

/** Answers all requests, or those with `method`, alike. */
function answer(status: number, body: string, method?: string): typeof respond {
  return (request, response) => {
    if (method !== undefined && request.method !== method) return false
    response.writeHead(status, { 'content-type': 'application/xml' }).end(body)
    return true
  }
}

function errorBody(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>No</Message></Error>`
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', headers } = request
  const condition = headers['if-none-match']
  requests.push(condition === undefined ? method : `${method} ${condition}`)
  const path = request.url?.split('?')[0] ?? ''
  const body = await buffer(request)
  if (respond(request, response)) return
  const existing = objects.get(path)
  if (method !== 'PUT') {
    const status = existing === undefined ? 404 : 200
    response.writeHead(status, { etag: '"x"', 'content-length': existing?.byteLength ?? 0 })
    response.end(method === 'GET' ? existing : undefined)
  } else if (condition !== undefined && conditions === 'refused') {
    response.writeHead(501).end(errorBody('NotImplemented'))
  } else if (condition !== undefined && conditions === 'held' && existing !== undefined) {
    response.writeHead(412).end(errorBody('PreconditionFailed'))
  } else {
    objects.set(path, body)
    response.writeHead(200, { etag: '"x"' }).end()
  }
}
