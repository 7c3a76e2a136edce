import { createHash, createHmac } from 'node:crypto'
import type { Hash, Hmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiError } from './exceptions.ts'
import { SignatureVerifier } from './signature-verifier.ts'
import { sign } from './sigv4.ts'
import type { SignableRequest } from './sigv4.ts'
import type { Clock } from '../base/clock.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 0)
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalr/XUtn',
  region: 'eu-west-1',
}

function verifierAt(nowMs: number): SignatureVerifier {
  const clock = { nowMs: () => nowMs } as Clock
  return new SignatureVerifier(new Map([['AKIDEXAMPLE', 'wJalr/XUtn']]), clock)
}

/** Undefined when the request passes. */
function refusalOf(
  request: SignableRequest,
  body: Buffer,
  verifier = verifierAt(NOW_MS),
): { type: string; message: string } | undefined {
  try {
    verifier.verify(request, verifier.readClaim(request), body)
    return undefined
  } catch (error) {
    if (error instanceof ApiError) return { type: error.type, message: error.message }
    throw error
  }
}

const BODY = Buffer.from('{"DeliveryStreamName":"logs","Record":{"Data":"aGVsbG8="}}')

function signed(changes: Partial<SignableRequest> = {}): SignableRequest {
  const request = {
    method: 'POST',
    path: '/',
    query: '',
    headers: {
      host: '127.0.0.1:4573',
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Firehose_20150804.PutRecord',
    },
    ...changes,
  }
  return { ...request, headers: sign(request, BODY, CREDENTIALS, NOW_MS) }
}

function withHeader(request: SignableRequest, name: string, value: string): SignableRequest {
  return { ...request, headers: { ...request.headers, [name]: value } }
}

type Data = string | ArrayBuffer | ArrayBufferView

/** The hash that AWS's signer asks for. */
class Sha256 {
  readonly #digest: Hash | Hmac
  constructor(secret?: Data) {
    this.#digest =
      secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }
  update(data: Data): void {
    this.#digest.update(bytesOf(data))
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#digest.digest())
  }
  reset(): void {
    throw new Error('Cannot reset: not used by the signer')
  }
}

function bytesOf(data: Data): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

const awsSigner = new SignatureV4({
  service: 'firehose',
  region: CREDENTIALS.region,
  credentials: CREDENTIALS,
  sha256: Sha256,
})

test.each([
  { path: '/', query: {} },
  { path: '/streams/logs/records', query: { format: 'ndjson', a: 'x y/z+ü!*()' } },
  { path: '/streams/a%20b/records', query: { b: '2', a: '1' } },
])("takes what AWS's own signer signs for $path", async ({ path, query }) => {
  const { headers } = await awsSigner.sign(
    {
      method: 'POST',
      protocol: 'https:',
      hostname: '127.0.0.1',
      path,
      query,
      headers: {
        host: '127.0.0.1:4573',
        'x-amz-target': 'Firehose_20150804.PutRecord',
        'x-spaced': '  a   b ',
      },
      body: BODY,
    },
    { signingDate: new Date(NOW_MS) },
  )
  const rawQuery = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
  const request = { method: 'POST', path, query: rawQuery, headers }
  expect(headers).toHaveProperty('x-amz-content-sha256')
  expect(refusalOf(request, BODY)).toBeUndefined()
  expect(refusalOf(request, Buffer.from('another'))?.type).toBe('InvalidSignatureException')
})

test('takes a request without a hash of its body, as boto3 sends it', () => {
  expect(signed().headers).not.toHaveProperty('x-amz-content-sha256')
  expect(refusalOf(signed(), BODY)).toBeUndefined()
})

test('takes a request again, with the derived key at hand', () => {
  const verifier = verifierAt(NOW_MS)
  expect([1, 2].map(() => refusalOf(signed(), BODY, verifier))).toEqual([undefined, undefined])
})

test('any change of a byte of the body is refused', () => {
  const at = fc.nat(BODY.byteLength - 1)
  fc.assert(
    fc.property(at, fc.integer({ min: 1, max: 255 }), (index, bits) => {
      const altered = Buffer.from(BODY)
      altered.writeUInt8(altered.readUInt8(index) ^ bits, index)
      expect(refusalOf(signed(), altered)?.type).toBe('InvalidSignatureException')
    }),
  )
})

test('any change of a signed header, the path, the query or the method is refused', () => {
  const request = signed()
  const names = Object.keys(request.headers).filter((name) => name !== 'x-amz-date')
  const place = fc.constantFrom('path', 'query', 'method', ...names)
  fc.assert(
    fc.property(place, fc.stringMatching(/^[a-z0-9]{1,3}$/), (where, addition) => {
      const altered =
        where === 'path' || where === 'query' || where === 'method'
          ? { ...request, [where]: request[where] + addition }
          : withHeader(request, where, String(request.headers[where]) + addition)
      expect(refusalOf(altered, BODY)).toBeDefined()
    }),
  )
})

test.each<[string, SignableRequest, string, string]>([
  [
    'no signature at all',
    { ...signed(), headers: { host: 'x' } },
    'MissingAuthenticationTokenException',
    'Missing Authentication Token',
  ],
  [
    'a signature in the query',
    { ...signed(), query: 'X-Amz-Signature=ab', headers: { host: 'x' } },
    'IncompleteSignatureException',
    'Requests signed in the query string are not supported.',
  ],
  [
    'another scheme',
    withHeader(signed(), 'authorization', 'Basic YTpi'),
    'IncompleteSignatureException',
    "Unsupported AWS 'algorithm': the one supported is AWS4-HMAC-SHA256.",
  ],
  [
    'a header without a signature',
    withHeader(signed(), 'authorization', 'AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host'),
    'IncompleteSignatureException',
    "Authorization header requires 'Signature' parameter.",
  ],
  [
    'an unknown key',
    {
      ...signed(),
      headers: sign(signed(), BODY, { ...CREDENTIALS, accessKeyId: 'other' }, NOW_MS),
    },
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  ],
  [
    'a session token',
    withHeader(signed(), 'x-amz-security-token', 'token'),
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  ],
  [
    'a target that is not signed',
    withHeader(
      signed({ headers: { host: 'x' } }),
      'x-amz-target',
      'Firehose_20150804.DeleteDeliveryStream',
    ),
    'InvalidSignatureException',
    "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
  ],
  [
    'a body that is declared to be unsigned',
    signed({ headers: { host: 'x', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }),
    'InvalidSignatureException',
    "The value of the header 'x-amz-content-sha256' is not the SHA-256 of the body.",
  ],
  [
    'a signed header with an inherited name',
    withHeader(
      signed(),
      'authorization',
      String(signed().headers.authorization).replace(
        'SignedHeaders=',
        'SignedHeaders=constructor;__proto__;',
      ),
    ),
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  ],
  [
    'a query that no signer could write',
    { ...signed(), query: 'a=%' },
    'BadRequestException',
    'Cannot read the query: bad escape',
  ],
])('refuses %s', (_, request, type, message) => {
  expect(refusalOf(request, BODY)).toEqual({ type, message })
})

test('another secret is refused', () => {
  const credentials = { ...CREDENTIALS, secretAccessKey: 'guess' }
  const headers = sign(signed(), BODY, credentials, NOW_MS)
  expect(refusalOf({ ...signed(), headers }, BODY)?.type).toBe('InvalidSignatureException')
})

test.each(['s3', 'kinesis'])('a signature for %s is refused', (service) => {
  const request = signed()
  const authorization = String(request.headers.authorization).replace('/firehose/', `/${service}/`)
  expect(refusalOf(withHeader(request, 'authorization', authorization), BODY)).toEqual({
    type: 'InvalidSignatureException',
    message: "Credential should be scoped to correct service: 'firehose'.",
  })
})

test('a scope of another day is refused', () => {
  const request = signed()
  const authorization = String(request.headers.authorization).replace('/20261121/', '/20261120/')
  const refusal = refusalOf(withHeader(request, 'authorization', authorization), BODY)
  expect(refusal?.message).toContain("'20261120' != '20261121', from '20261121T120000Z'.")
})

function refusalAfterMinutes(minutes: number): ReturnType<typeof refusalOf> {
  return refusalOf(signed(), BODY, verifierAt(NOW_MS + minutes * 60_000))
}

test('a signature is good for 5 minutes to either side', () => {
  expect([-5, 0, 5].map(refusalAfterMinutes)).toEqual([undefined, undefined, undefined])
  expect(refusalAfterMinutes(6)).toEqual({
    type: 'InvalidSignatureException',
    message:
      'Signature expired: 20261121T120000Z is now earlier than 20261121T120100Z (20261121T120600Z - 5 min.)',
  })
  expect(refusalAfterMinutes(-6)).toEqual({
    type: 'InvalidSignatureException',
    message:
      'Signature not yet current: 20261121T120000Z is still later than 20261121T115900Z (20261121T115400Z + 5 min.)',
  })
})

test('header bytes beyond ASCII are signed as they are on the wire', async () => {
  const { headers } = await awsSigner.sign(
    {
      method: 'POST',
      protocol: 'https:',
      hostname: 'h',
      path: '/',
      headers: { host: 'h', 'x-note': 'grün' },
      body: BODY,
    },
    { signingDate: new Date(NOW_MS) },
  )
  // Node hands each byte of a header over as one character.
  const asReceived = { ...headers, 'x-note': Buffer.from('grün').toString('latin1') }
  expect(
    refusalOf({ method: 'POST', path: '/', query: '', headers: asReceived }, BODY),
  ).toBeUndefined()
})
