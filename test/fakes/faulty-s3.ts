/**
 * An S3 server for tests that misbehaves on purpose: it answers 500 and 503, hangs, resets the
 * connection, and fails after the request has taken effect. It speaks path-style PutObject (also
 * conditional), GET, HEAD, ListObjectsV2, DELETE and multipart uploads, keeps everything in memory,
 * and checks no signature. It lives in the test's process, so it survives the kills of the service.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import { FAULT_FREE, drawFault } from './fault-plan.ts'
import type { FaultRates } from './fault-plan.ts'
import { S3Bucket, S3Refusal } from './s3-bucket.ts'
import type { ObjectVersion } from './s3-bucket.ts'
import type { SeededRandom } from './seeded-random.ts'

const KEPT_HEADER = /^(content-type|content-encoding|x-amz-checksum-|x-amz-meta-|x-amz-server-side)/

interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

interface Request {
  readonly method: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: Record<string, string>
  readonly body: Buffer
}

export class FaultyS3 {
  readonly #server: Server
  readonly #random: SeededRandom
  readonly #buckets = new Map<string, S3Bucket>()
  readonly #sockets = new Set<Socket>()
  readonly #hanging = new Set<ServerResponse>()
  #rates: FaultRates = FAULT_FREE
  /** How often each fault was played, and how many requests came. */
  readonly played = new Map<string, number>()

  private constructor(random: SeededRandom) {
    this.#random = random
    this.#server = createServer((request, response) => void this.#handle(request, response))
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(random: SeededRandom): Promise<FaultyS3> {
    const s3 = new FaultyS3(random)
    await new Promise<void>((resolve) => void s3.#server.listen(0, '127.0.0.1', resolve))
    return s3
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From the next request on. Requests that hang are given up when the rates have no more hangs. */
  misbehave(rates: FaultRates): void {
    this.#rates = rates
    if (rates.hang !== undefined) return
    for (const response of this.#hanging) response.destroy()
    this.#hanging.clear()
  }

  bucket(name: string): S3Bucket {
    const known = this.#buckets.get(name)
    if (known !== undefined) return known
    const bucket = new S3Bucket()
    this.#buckets.set(name, bucket)
    return bucket
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await readBody(incoming)
      await this.#play(requestOf(incoming, body), response)
    } catch {
      // The sender was killed in the middle of its request: nobody waits for an answer.
      response.destroy()
    }
  }

  async #play(
    { bucket, request }: { bucket: string; request: Request },
    response: ServerResponse,
  ): Promise<void> {
    const fault = drawFault(this.#rates, this.#random)
    this.#count(fault ?? 'none')
    if (fault === 'slow-down') return send(response, refusal(new S3Refusal(503, 'SlowDown')))
    if (fault === 'internal-error') return send(response, internalError())
    if (fault === 'reset') return reset(response)
    if (fault === 'hang') return void this.#hanging.add(response)
    const answer = answerTo(this.bucket(bucket), request)
    if (fault === 'error-after') return send(response, internalError())
    if (fault === 'reset-after') return reset(response)
    if (fault === 'hang-after') return void this.#hanging.add(response)
    return send(response, answer)
  }

  #count(what: string): void {
    this.played.set(what, (this.played.get(what) ?? 0) + 1)
  }
}

function answerTo(bucket: S3Bucket, request: Request): Answer {
  try {
    return perform(bucket, request)
  } catch (error) {
    if (error instanceof S3Refusal) return refusal(error)
    throw error
  }
}

function perform(bucket: S3Bucket, request: Request): Answer {
  const { method, key, query, body } = request
  const uploadId = query.get('uploadId')
  const conditional = request.headers['if-none-match'] === '*'
  checkCrc32(request.headers['x-amz-checksum-crc32'], body)
  if (key === '') return method === 'HEAD' ? { status: 200 } : list(bucket, query)
  if (method === 'POST' && query.has('uploads')) {
    const created = bucket.createUpload(key, keptHeaders(request))
    return xml(
      `<InitiateMultipartUploadResult><UploadId>${created}</UploadId></InitiateMultipartUploadResult>`,
    )
  }
  if (uploadId !== null) {
    if (method === 'PUT') {
      const etag = bucket.uploadPart(uploadId, Number(query.get('partNumber')), body)
      return { status: 200, headers: { etag: `"${etag}"` } }
    }
    if (method === 'DELETE') {
      bucket.abortUpload(uploadId)
      return { status: 204 }
    }
    const { etag } = bucket.completeUpload(uploadId, completedParts(body), conditional)
    return xml(
      `<CompleteMultipartUploadResult><ETag>"${etag}"</ETag></CompleteMultipartUploadResult>`,
    )
  }
  if (method === 'PUT') {
    const { etag } = bucket.put(key, body, keptHeaders(request), conditional)
    return { status: 200, headers: { etag: `"${etag}"` } }
  }
  if (method === 'DELETE') {
    bucket.versions.delete(key)
    return { status: 204 }
  }
  const object = bucket.current(key)
  const headers = objectHeaders(object)
  return method === 'HEAD' ? { status: 200, headers } : { status: 200, headers, body: object.bytes }
}

function list(bucket: S3Bucket, query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? ''
  if (query.has('uploads')) {
    const uploads = [...bucket.uploads].filter(([, upload]) => upload.key.startsWith(prefix))
    const entries = uploads.map(
      ([id, { key }]) => `<Upload><Key>${escape(key)}</Key><UploadId>${id}</UploadId></Upload>`,
    )
    return xml(
      `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${entries.join('')}</ListMultipartUploadsResult>`,
    )
  }
  const keys = [...bucket.versions.keys()].filter((key) => key.startsWith(prefix)).toSorted()
  const entries = keys.map((key) => {
    const { bytes, etag } = bucket.current(key)
    return `<Contents><Key>${escape(key)}</Key><Size>${bytes.length}</Size><ETag>"${etag}"</ETag></Contents>`
  })
  return xml(
    `<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>${keys.length}</KeyCount>${entries.join('')}</ListBucketResult>`,
  )
}

function objectHeaders({ bytes, etag, headers }: ObjectVersion): Record<string, string> {
  return { ...headers, 'content-length': String(bytes.length), etag: `"${etag}"` }
}

function keptHeaders({ headers }: Request): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => KEPT_HEADER.test(name))
  return Object.fromEntries(
    kept
      .map(([name, value]) => [name, value.replace(/,?aws-chunked,?/, '')] as const)
      .filter(([, value]) => value !== ''),
  )
}

function completedParts(body: Buffer): { partNumber: number; etag: string }[] {
  const parts = body.toString('utf8').matchAll(/<Part>(.*?)<\/Part>/gs)
  return [...parts].map(([part]) => ({
    partNumber: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    etag: /<ETag>(?:"|&quot;)?(.*?)(?:"|&quot;)?<\/ETag>/.exec(part)?.[1] ?? '',
  }))
}

function requestOf(incoming: IncomingMessage, raw: Buffer): { bucket: string; request: Request } {
  const url = new URL(incoming.url ?? '/', 'http://s3')
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(url.pathname) ?? []
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
  )
  const chunked = headers['x-amz-content-sha256']?.startsWith('STREAMING-') === true
  const body = chunked ? unchunk(raw) : raw
  const method = incoming.method ?? ''
  return {
    bucket,
    request: { method, key: decodeURIComponent(key), query: url.searchParams, headers, body },
  }
}

/** Undoes `Content-Encoding: aws-chunked`: hex size, CRLF, bytes, CRLF, until a chunk of size 0. */
function unchunk(raw: Buffer): Buffer {
  const chunks: Buffer[] = []
  for (let offset = 0; ;) {
    const lineEnd = raw.indexOf('\r\n', offset)
    const sizeBytes = Number.parseInt(raw.toString('latin1', offset, lineEnd), 16)
    if (sizeBytes === 0) return Buffer.concat(chunks)
    chunks.push(raw.subarray(lineEnd + 2, lineEnd + 2 + sizeBytes))
    offset = lineEnd + 2 + sizeBytes + 2
  }
}

function checkCrc32(expected: string | undefined, body: Buffer): void {
  if (expected === undefined) return
  const actual = Buffer.alloc(4)
  actual.writeUInt32BE(crc32(body))
  if (actual.toString('base64') !== expected) throw new S3Refusal(400, 'BadDigest')
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  if (!incoming.complete) throw new Error('Cannot read body: the sender broke off')
  return Buffer.concat(chunks)
}

function xml(body: string): Answer {
  const head = '<?xml version="1.0" encoding="UTF-8"?>'
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: head + body }
}

function refusal({ status, code }: S3Refusal): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`), status }
}

function internalError(): Answer {
  return refusal(new S3Refusal(500, 'InternalError'))
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(body)
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy()
}
