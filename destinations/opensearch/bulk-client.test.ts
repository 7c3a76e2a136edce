import { strict as assert } from 'node:assert'
import { execFile, execFileSync } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import type { Hash, Hmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inspect, promisify } from 'node:util'
import { SignatureV4 } from '@smithy/signature-v4'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Connection, Connections } from '../../src/connections.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import { DeliveryError } from '../../src/destination.ts'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { freePort } from '../../test/servers/process.ts'
import { BulkClient } from './bulk-client.ts'

const LINES = [Buffer.from('{"index":{}}\n{"a":1}\n')]
const NOT_ABORTED = new AbortController().signal

async function listen(server: Server, protocol = 'http'): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => void server.close(resolve))
  })
  return `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function openClient(connection?: Connection, clock: Clock = systemClock): BulkClient {
  const connections: Connections = { ...NO_CONNECTIONS, find: () => connection }
  const client = new BulkClient(connections, clock)
  onTestFinished(() => client.close())
  return client
}

const takeAll: RequestListener = (request, response) => {
  request.resume().once('end', () => {
    response.setHeader('content-type', 'application/json').end('{"items":[]}')
  })
}

interface SeenRequest {
  readonly request: IncomingMessage
  readonly body: string
}

function recordingServer(seen: SeenRequest[], answer: (response: ServerResponse) => void): Server {
  return createServer((request, response) => {
    void text(request).then((body) => {
      seen.push({ request, body })
      answer(response)
    })
  })
}

async function failureOf(sent: Promise<unknown>): Promise<object> {
  const error: unknown = await sent.catch((thrown: unknown) => thrown)
  if (!(error instanceof DeliveryError)) throw new Error('no DeliveryError', { cause: error })
  const { errorCode, retryable, effect, brake } = error
  return { errorCode, retryable, effect, brake }
}

test('sends the lines as they are, and gives the answer as it is', async () => {
  const seen: SeenRequest[] = []
  const endpoint = await listen(
    recordingServer(seen, (response) => {
      response.writeHead(429, { 'retry-after': '7', 'content-type': 'application/json' })
      response.end('{"error":"busy"}')
    }),
  )
  expect(await openClient().send(`${endpoint}/base/`, LINES, NOT_ABORTED)).toEqual({
    status: 429,
    body: { error: 'busy' },
    retryAfterMs: 7_000,
  })
  expect(seen[0]?.request).toMatchObject({
    method: 'POST',
    url: expect.stringMatching(/^\/base\/_bulk\?filter_path=/),
    headers: { 'content-type': 'application/x-ndjson', 'content-length': '21' },
  })
  expect(seen[0]?.request.headers.authorization).toBeUndefined()
  expect(seen[0]?.body).toBe('{"index":{}}\n{"a":1}\n')
})

test('an answer that is no JSON is known for that', async () => {
  const endpoint = await listen(createServer((_request, response) => response.end('<html>')))
  expect(await openClient().send(endpoint, LINES, NOT_ABORTED)).toEqual({
    status: 200,
    body: undefined,
  })
})

test.each<[string, Connection, string]>([
  ['a password', { username: 'fire', password: 'hose:' }, 'Basic ZmlyZTpob3NlOg=='],
  ['an API key', { apiKey: 'a2V5' }, 'ApiKey a2V5'],
])('authorizes with %s', async (_what, connection, authorization) => {
  let seen: string | undefined
  const endpoint = await listen(
    createServer((request, response) => {
      seen = request.headers.authorization
      takeAll(request, response)
    }),
  )
  await openClient(connection).send(endpoint, LINES, NOT_ABORTED)
  expect(seen).toBe(authorization)
})

test('a password that has changed is used at once', async () => {
  const seen: (string | undefined)[] = []
  const endpoint = await listen(
    createServer((request, response) => {
      seen.push(request.headers.authorization)
      takeAll(request, response)
    }),
  )
  let apiKey = 'old'
  const client = new BulkClient({ ...NO_CONNECTIONS, find: () => ({ apiKey }) }, systemClock)
  onTestFinished(() => client.close())
  await client.send(endpoint, LINES, NOT_ABORTED)
  apiKey = 'new'
  await client.send(endpoint, LINES, NOT_ABORTED)
  expect(seen).toEqual(['ApiKey old', 'ApiKey new'])
})

test('signs for AWS as AWS does', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  vi.stubEnv('AWS_SESSION_TOKEN', undefined)
  onTestFinished(() => void vi.unstubAllEnvs())
  const seen: SeenRequest[] = []
  const endpoint = await listen(recordingServer(seen, (response) => response.end('{}')))
  const sigv4 = { region: 'eu-west-1', service: 'aoss' }
  await openClient({ sigv4 }).send(endpoint, LINES, NOT_ABORTED)
  const [{ request, body } = {}] = seen
  assert(request !== undefined && body !== undefined)
  expect(request.headers.authorization).toBe(await expectedSignature(request, body, sigv4))
})

/** The same request, signed by AWS's own library. */
async function expectedSignature(
  request: IncomingMessage,
  body: string,
  { region, service }: { region: string; service: string },
): Promise<string | undefined> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://host')
  const { authorization = '', ...headers } = request.headers as Record<string, string>
  const signed = /SignedHeaders=([^,]*)/.exec(authorization)?.[1]?.split(';') ?? []
  const signer = new SignatureV4({
    region,
    service,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
    sha256: Sha256,
  })
  const time = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(headers['x-amz-date'] ?? '')?.slice(1) ?? []
  const [year = '', month = '', day = '', ...clock] = time
  const result = await signer.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: Object.fromEntries(signed.map((name) => [name, headers[name] ?? ''])),
      body,
    },
    {
      signingDate: new Date(`${year}-${month}-${day}T${clock.join(':')}Z`),
      signableHeaders: new Set(signed),
    },
  )
  return result.headers['authorization']
}

type Data = string | ArrayBuffer | ArrayBufferView

class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(secret?: Data) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }
  update(data: Data): void {
    this.#hash.update(bytesOf(data))
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
  reset(): void {
    throw new Error('Cannot reset: not used by the signer')
  }
}

function bytesOf(data: Data): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof ArrayBuffer) return Buffer.from(data)
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

test('where nobody listens nothing was sent', async () => {
  const sent = openClient().send(`http://127.0.0.1:${await freePort()}`, LINES, NOT_ABORTED)
  expect(await failureOf(sent)).toEqual({
    errorCode: 'OS.ConnectionFailed',
    retryable: true,
    effect: 'none',
    brake: false,
  })
})

test('a connection that breaks before the answer leaves the effect unknown', async () => {
  const endpoint = await listen(createServer((request) => request.socket.resetAndDestroy()))
  expect(await failureOf(openClient().send(endpoint, LINES, NOT_ABORTED))).toEqual({
    errorCode: 'OS.ConnectionFailed',
    retryable: true,
    effect: 'unknown',
    brake: false,
  })
})

test('what is thrown holds no secret and no record', async () => {
  const endpoint = await listen(createServer((request) => request.socket.resetAndDestroy()))
  const client = openClient({ username: 'fire', password: 'hose' })
  const error: unknown = await client.send(endpoint, LINES, NOT_ABORTED).catch((thrown) => thrown)
  const shown = inspect(error, { depth: Infinity, showHidden: true })
  expect(shown).toContain('OS.ConnectionFailed')
  expect(shown).not.toMatch(/ZmlyZTpob3Nl|hose|"a":1/)
})

test('so does one that breaks within the answer', async () => {
  const endpoint = await listen(
    createServer((request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"items":[', () => request.socket.resetAndDestroy())
    }),
  )
  expect(await failureOf(openClient().send(endpoint, LINES, NOT_ABORTED))).toMatchObject({
    errorCode: 'OS.ConnectionFailed',
    effect: 'unknown',
  })
})

test('and one that is kept and was closed meanwhile', async () => {
  let count = 0
  const endpoint = await listen(
    createServer((request, response) => {
      count += 1
      if (count === 1) takeAll(request, response)
      else request.socket.resetAndDestroy()
    }),
  )
  const client = openClient()
  await client.send(endpoint, LINES, NOT_ABORTED)
  expect(await failureOf(client.send(endpoint, LINES, NOT_ABORTED))).toMatchObject({
    effect: 'unknown',
  })
})

test.each<[string, (response: { write(text: string): unknown }) => void]>([
  ['no answer', () => undefined],
  ['an answer that does not end', (response) => void response.write('{')],
])('%s is given up after 90 seconds', async (_what, respond) => {
  const clock = new ManualClock()
  const { promise: arrived, resolve } = Promise.withResolvers<void>()
  const endpoint = await listen(
    createServer((_request, response) => {
      respond(response)
      resolve()
    }),
  )
  const sent = failureOf(openClient({}, clock).send(endpoint, LINES, NOT_ABORTED))
  await arrived
  clock.advance(90_000)
  expect(await sent).toEqual({
    errorCode: 'OS.RequestTimeout',
    retryable: true,
    effect: 'unknown',
    brake: false,
  })
  expect(clock.sleeperCount).toBe(0)
})

test('gives up when it is told to', async () => {
  const abort = new AbortController()
  const endpoint = await listen(createServer(() => abort.abort()))
  expect(await failureOf(openClient().send(endpoint, LINES, abort.signal))).toMatchObject({
    errorCode: 'OS.RequestAborted',
    effect: 'unknown',
    brake: false,
  })
})

test('goes through a proxy', async () => {
  const endpoint = await listen(createServer(takeAll))
  const asked: (string | undefined)[] = []
  const proxy = createServer()
  proxy.on('connect', (request, socket) => {
    asked.push(request.url)
    const upstream = connect(Number(new URL(endpoint).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(upstream).pipe(socket)
    })
    socket.on('error', () => upstream.destroy())
  })
  const client = openClient({ proxy: await listen(proxy) })
  expect((await client.send(endpoint, LINES, NOT_ABORTED)).status).toBe(200)
  expect(asked).toEqual([new URL(endpoint).host])
})

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
}

async function makeCertificate(): Promise<{ cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-tls-'))
  const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const options =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', keyPath, '-out', certPath]
  await promisify(execFile)('openssl', ['req', ...options.split(' '), ...names, ...files])
  const certificate = {
    cert: await readFile(certPath, 'utf8'),
    key: await readFile(keyPath, 'utf8'),
  }
  await rm(folder, { recursive: true })
  return certificate
}

// Node can't make certificates; where openssl is missing, TLS goes untested.
test.skipIf(!hasOpenssl())('trusts the CA of its connection, and no other', async () => {
  const { cert, key } = await makeCertificate()
  const mutual = { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true }
  const endpoint = await listen(createTlsServer(mutual, takeAll), 'https')
  const trusting = openClient({ tlsCa: cert, tlsCertificate: cert, tlsKey: key })
  expect((await trusting.send(endpoint, LINES, NOT_ABORTED)).status).toBe(200)
  expect(await failureOf(openClient().send(endpoint, LINES, NOT_ABORTED))).toEqual({
    errorCode: 'OS.SSLHandshakeFailure',
    retryable: true,
    effect: 'none',
    brake: true,
  })
})
