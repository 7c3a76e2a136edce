/**
 * AWS Signature Version 4: what is signed, and with what.
 *
 *   canonical request:  method \n path \n query \n name:value \n … \n \n names;… \n SHA-256 of body
 *   string to sign:     AWS4-HMAC-SHA256 \n date \n scope \n SHA-256 of the canonical request
 *   scope:              yyyymmdd / region / service / aws4_request
 *   key:                HMAC of the secret with each part of the scope in turn
 *
 * - The path is URI-encoded once more than it is on the wire (all services but S3 do so).
 * - Query parameters are sorted and encoded anew; names and values as bytes, RFC 3986.
 * - Header names are in lower case and sorted; values are trimmed, runs of spaces become one.
 * - Header bytes are signed as they were sent. Node gives each byte as one character (latin1).
 */
import { createHmac, hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export const ALGORITHM = 'AWS4-HMAC-SHA256'
export const SERVICE = 'firehose'
export const TERMINATOR = 'aws4_request'

export interface SignableRequest {
  readonly method: string
  /** As on the wire, without the query. */
  readonly path: string
  /** As on the wire, without the question mark. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
}

export interface Scope {
  /** `yyyymmdd`. */
  readonly day: string
  readonly region: string
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

/**
 * Signs a request of our own.
 * @returns its headers with `x-amz-date` and `authorization` added
 */
export function sign(
  request: SignableRequest,
  body: Buffer,
  credentials: Credentials,
  nowMs: number,
): IncomingHttpHeaders {
  const date = basicDate(nowMs)
  const scope = { day: date.slice(0, 8), region: credentials.region }
  const headers = { ...request.headers, 'x-amz-date': date }
  const signedHeaders = Object.keys(headers).toSorted()
  const signature = computeSignature(
    { ...request, headers },
    { signedHeaders, date, scope, bodyHash: sha256(body) },
    deriveKey(credentials.secretAccessKey, scope),
  )
  const authorization =
    `${ALGORITHM} Credential=${credentials.accessKeyId}/${scopeText(scope)}, ` +
    `SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return { ...headers, authorization }
}

export interface SignatureInputs {
  /** Names in lower case, in the order in which they are signed. */
  readonly signedHeaders: readonly string[]
  /** `yyyymmddThhmmssZ`. */
  readonly date: string
  readonly scope: Scope
  /** SHA-256 of the body in hex. */
  readonly bodyHash: string
}

/** The signature in hex. */
export function computeSignature(
  request: SignableRequest,
  inputs: SignatureInputs,
  key: Buffer,
): string {
  const canonicalRequest = makeCanonicalRequest(request, inputs)
  const requestHash = sha256(Buffer.from(canonicalRequest, 'latin1'))
  const stringToSign = `${ALGORITHM}\n${inputs.date}\n${scopeText(inputs.scope)}\n${requestHash}`
  return createHmac('sha256', key).update(stringToSign).digest('hex')
}

/** Good for all requests of one day, region and secret. */
export function deriveKey(secretAccessKey: string, { day, region }: Scope): Buffer {
  let key = Buffer.from(`AWS4${secretAccessKey}`)
  for (const part of [day, region, SERVICE, TERMINATOR]) {
    key = createHmac('sha256', key).update(part).digest()
  }
  return key
}

export function sha256(bytes: Buffer): string {
  return hash('sha256', bytes, 'hex')
}

/** `yyyymmddThhmmssZ`. */
export function basicDate(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

function scopeText({ day, region }: Scope): string {
  return `${day}/${region}/${SERVICE}/${TERMINATOR}`
}

function makeCanonicalRequest(
  { method, path, query, headers }: SignableRequest,
  { signedHeaders, bodyHash }: SignatureInputs,
): string {
  let headerLines = ''
  for (const name of signedHeaders) {
    // Names come from the caller: an inherited one is not a header.
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined
    headerLines += `${name}:${canonicalValue(value)}\n`
  }
  const names = signedHeaders.join(';')
  return `${method}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n${headerLines}\n${names}\n${bodyHash}`
}

function canonicalValue(value: string | readonly string[] | undefined): string {
  const text = typeof value === 'string' ? value : (value ?? []).join(',')
  return text.trim().replaceAll(/ +/g, ' ')
}

function canonicalPath(path: string): string {
  return path === '/' ? path : path.split('/').map(uriEncode).join('/')
}

/** @throws URIError for a bad escape */
function canonicalQuery(query: string): string {
  if (query === '') return ''
  const parameters = query.split('&').map((parameter) => {
    const [name = '', ...value] = parameter.split('=')
    return [recode(name), recode(value.join('='))] as const
  })
  return parameters
    .toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function recode(part: string): string {
  return uriEncode(decodeURIComponent(part))
}

/** All but RFC 3986's unreserved characters. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
