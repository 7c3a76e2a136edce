/**
 * Who signed a request, and whether what arrived is what was signed. In two steps: what the headers
 * tell is checked before the body is read, so that strangers can't make us hold their bodies.
 *
 * A signature is good for 5 minutes to either side of its date. Within that time the identical
 * request may come again, as with AWS; with any change to its method, path, query, body, target or
 * another signed header it is refused.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { ApiError } from './exceptions.ts'
import {
  ALGORITHM,
  basicDate,
  computeSignature,
  deriveKey,
  SERVICE,
  sha256,
  TERMINATOR,
} from './sigv4.ts'
import type { Scope, SignableRequest } from './sigv4.ts'

const SKEW_MS_MAX = 5 * 60_000
const SKEW_TEXT = '5 min.'
/** Keys of one day, secret and region; a client uses one region as a rule. */
const KEY_COUNT_MAX = 1_000

/** Headers that we act on; where present they must be signed, or an altered replay would pass. */
const HEADERS_TO_SIGN = ['host', 'x-amz-date', 'x-amz-target', 'x-amz-content-sha256']

const SIGNATURE_PATTERN = /^[0-9a-f]{64}$/
const BASIC_DATE_PATTERN = /^\d{8}T\d{6}Z$/

/** What the headers of a request say of its signature. */
export interface ClaimedSignature {
  readonly accessKeyId: string
  readonly scope: Scope
  readonly date: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

export class SignatureVerifier {
  readonly #secrets: ReadonlyMap<string, string>
  readonly #clock: Clock
  /** By scope and access key; only of signatures that were right, so strangers can't fill it. */
  readonly #derivedKeys = new Map<string, Buffer>()

  /** @param secrets by access key id */
  constructor(secrets: ReadonlyMap<string, string>, clock: Clock) {
    this.#secrets = secrets
    this.#clock = clock
  }

  /**
   * Checks all that can be told without the body.
   * @throws ApiError as AWS's JSON services answer
   */
  readClaim(request: SignableRequest): ClaimedSignature {
    requireReadableQuery(request.query)
    const claimed = parseClaim(request)
    const known = this.#secrets.has(claimed.accessKeyId)
    // Temporary credentials aren't issued here, so a session token is never one of ours.
    if (!known || request.headers['x-amz-security-token'] !== undefined) {
      const message = 'The security token included in the request is invalid.'
      throw new ApiError('UnrecognizedClientException', message)
    }
    this.#requireFresh(claimed.date)
    return claimed
  }

  /**
   * Checks the signature itself.
   * @throws ApiError InvalidSignatureException
   */
  verify(request: SignableRequest, claimed: ClaimedSignature, body: Buffer): void {
    const bodyHash = sha256(body)
    const claimedHash = request.headers['x-amz-content-sha256']
    if (claimedHash !== undefined && claimedHash !== bodyHash) {
      throw invalidSignature(
        "The value of the header 'x-amz-content-sha256' is not the SHA-256 of the body.",
      )
    }
    const { day, region } = claimed.scope
    const cacheKey = `${day}/${region}/${claimed.accessKeyId}`
    const key = this.#derivedKeys.get(cacheKey) ?? this.#deriveKey(claimed)
    const signature = computeSignature(request, { ...claimed, bodyHash }, key)
    if (!timingSafeEqual(Buffer.from(signature), Buffer.from(claimed.signature))) {
      throw invalidSignature(
        'The request signature we calculated does not match the signature you provided. ' +
          'Check your AWS Secret Access Key and signing method. ' +
          'Consult the service documentation for details.',
      )
    }
    this.#remember(cacheKey, key)
  }

  #deriveKey({ accessKeyId, scope }: ClaimedSignature): Buffer {
    return deriveKey(this.#secrets.get(accessKeyId) ?? '', scope)
  }

  #remember(cacheKey: string, key: Buffer): void {
    if (this.#derivedKeys.has(cacheKey)) return
    if (this.#derivedKeys.size === KEY_COUNT_MAX) this.#derivedKeys.clear()
    this.#derivedKeys.set(cacheKey, key)
  }

  #requireFresh(date: string): void {
    const nowMs = this.#clock.nowMs()
    const earliest = basicDate(nowMs - SKEW_MS_MAX)
    const latest = basicDate(nowMs + SKEW_MS_MAX)
    // Basic dates compare as text.
    if (date < earliest) {
      const now = `${basicDate(nowMs)} - ${SKEW_TEXT}`
      throw invalidSignature(`Signature expired: ${date} is now earlier than ${earliest} (${now})`)
    }
    if (date > latest) {
      const now = `${basicDate(nowMs)} + ${SKEW_TEXT}`
      throw invalidSignature(
        `Signature not yet current: ${date} is still later than ${latest} (${now})`,
      )
    }
  }
}

function parseClaim(request: SignableRequest): ClaimedSignature {
  const authorization = readAuthorization(request)
  const parameters = parseParameters(authorization)
  const date = readDate(request)
  const { accessKeyId, scope } = parseCredential(parameters.credential, date)
  const signedHeaders = parameters.signedHeaders.toLowerCase().split(';')
  requireSigned(request, signedHeaders)
  if (!SIGNATURE_PATTERN.test(parameters.signature)) {
    throw incompleteSignature("'Signature' must be 64 hexadecimal digits in lower case.")
  }
  return { accessKeyId, scope, date, signedHeaders, signature: parameters.signature }
}

function requireReadableQuery(query: string): void {
  try {
    decodeURIComponent(query)
  } catch (error) {
    const options = { cause: error }
    throw new ApiError('BadRequestException', 'Cannot read the query: bad escape', options)
  }
}

function readAuthorization({ headers, query }: SignableRequest): string {
  if (headers.authorization !== undefined) return headers.authorization
  if (query.includes('X-Amz-Signature=')) {
    throw incompleteSignature('Requests signed in the query string are not supported.')
  }
  throw new ApiError('MissingAuthenticationTokenException', 'Missing Authentication Token')
}

function parseParameters(authorization: string) {
  const [algorithm, rest] = splitOnce(authorization, ' ')
  if (algorithm !== ALGORITHM) {
    throw incompleteSignature(`Unsupported AWS 'algorithm': the one supported is ${ALGORITHM}.`)
  }
  const values = new Map(rest.split(',').map((parameter) => splitOnce(parameter.trim(), '=')))
  const required = (name: string): string => {
    const value = values.get(name)
    if (value !== undefined && value !== '') return value
    throw incompleteSignature(`Authorization header requires '${name}' parameter.`)
  }
  return {
    credential: required('Credential'),
    signedHeaders: required('SignedHeaders'),
    signature: required('Signature'),
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}

/** The date signed, as `yyyymmddThhmmssZ`; in the header Date it may have HTTP's form. */
function readDate({ headers }: SignableRequest): string {
  const text = headers['x-amz-date'] ?? headers.date
  if (text === undefined) {
    throw incompleteSignature(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    )
  }
  if (typeof text === 'string' && BASIC_DATE_PATTERN.test(text)) return text
  const timeMs = headers['x-amz-date'] === undefined ? Date.parse(String(text)) : NaN
  if (Number.isFinite(timeMs)) return basicDate(timeMs)
  throw incompleteSignature("Date must be in ISO-8601 'basic format', e.g. 20261121T120000Z.")
}

/** `id/yyyymmdd/region/firehose/aws4_request` */
function parseCredential(credential: string, date: string): { accessKeyId: string; scope: Scope } {
  const parts = credential.split('/')
  const [accessKeyId = '', day = '', region = '', service, terminator] = parts
  if (parts.length !== 5 || accessKeyId === '' || region === '') {
    throw incompleteSignature('Credential must have exactly 5 slash-delimited elements.')
  }
  if (terminator !== TERMINATOR) {
    throw invalidSignature(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`)
  }
  if (service !== SERVICE) {
    throw invalidSignature(`Credential should be scoped to correct service: '${SERVICE}'.`)
  }
  if (day !== date.slice(0, 8)) {
    throw invalidSignature(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ` +
        `'${day}' != '${date.slice(0, 8)}', from '${date}'.`,
    )
  }
  return { accessKeyId, scope: { day, region } }
}

function requireSigned({ headers }: SignableRequest, signedHeaders: readonly string[]): void {
  const mustBeSigned =
    headers['x-amz-date'] === undefined ? [...HEADERS_TO_SIGN, 'date'] : HEADERS_TO_SIGN
  for (const name of mustBeSigned) {
    if (headers[name] === undefined || signedHeaders.includes(name)) continue
    throw invalidSignature(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`)
  }
}

function invalidSignature(message: string): ApiError {
  return new ApiError('InvalidSignatureException', message)
}

function incompleteSignature(message: string): ApiError {
  return new ApiError('IncompleteSignatureException', message)
}
