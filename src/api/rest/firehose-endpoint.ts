/**
 * `POST /streams/{name}/firehose`: the protocol by which Firehose, or another Standpipe, delivers to an
 * HTTP endpoint, taken as input. The answer is 200 once all records are durable.
 *
 * A sender that hears nothing sends the same request again, under the same id. So the records are cut
 * into chunks, always at the same places, and each chunk is appended as number k of its request: what is
 * there already is not appended twice, and a request that was taken over in part is completed by its
 * repeat (chunk-origin.ts). Of other records under an id that is known, those in known chunks are not
 * taken: an id stands for one content. CHUNK_BYTES_MAX and how `cut` counts must not change while
 * requests may be repeated.
 *
 * Headers of the protocol may be missing, as some that speak it leave them out; those that are there must
 * be right. A 413 is final to a Firehose: it is for what can never be taken, and for nothing else.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { writeBase64 } from '../../base/base64.ts'
import type { BufferPool } from '../../base/buffer-pool.ts'
import type { Chunk } from '../../batch.ts'
import { PositionMoved } from '../../chunk-origin.ts'
import { dataOffset, payloadBytes, setRecordLength } from '../../chunk.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import { decompress, DecompressionError } from '../../formats/decompression.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument, serializationError } from '../exceptions.ts'
import type { ApiErrorType } from '../exceptions.ts'
import type { Route, RouteRequest, RouteResponse } from '../operation.ts'
import { directPutStream } from '../operations/stream-lookup.ts'
import { putChunk } from '../put/put-call.ts'
import { ContentBudget } from './content-budget.ts'
import { readEndpointRequest } from './firehose-endpoint-request.ts'
import type { EndpointRequest } from './firehose-endpoint-request.ts'
import { parameterOf } from './route-parameters.ts'

const MIB = 1024 * 1024
/** The protocol's, before gzip. */
const BODY_BYTES_MAX = 64 * MIB
/** Of what is unpacked, in the whole process. */
const contents = new ContentBudget(2 * BODY_BYTES_MAX)
/** What a record of a Kinesis stream or of a topic may have; a Firehose hands on no larger ones. */
const RECORD_BYTES_MAX = 10 * MIB
/** Of a chunk's payload, unless it is of one record. */
const CHUNK_BYTES_MAX = MIB

/** Where it is not that of the error itself. */
const STATUS_CODES: Partial<Record<ApiErrorType, number>> = {
  AccessDeniedException: 403,
  IncompleteSignatureException: 401,
  InvalidSignatureException: 401,
  MissingAuthenticationTokenException: 401,
  ResourceNotFoundException: 404,
  UnrecognizedClientException: 401,
}

export const firehoseEndpoint: Route = {
  method: 'POST',
  path: '/streams/{name}/firehose',
  action: 'PutRecordBatch',
  actionPrefix: 'firehose',
  takesEndpointKey: true,
  bodyBytesMax: BODY_BYTES_MAX,
  audited: false,
  async handle(request, context) {
    const stream = directPutStream(context, parameterOf(request, 'name'))
    requireVersion(request)
    const isPacked = isGzip(request)
    using held = isPacked ? await contents.hold(BODY_BYTES_MAX) : undefined
    const content = isPacked ? await unpacked(request) : request.body
    held?.shrinkTo(content.byteLength)
    const input = readEndpointRequest(content)
    const { requestId } = input
    requireSameId(request, requestId)
    noteAttributes(request, stream, context)
    await takeOver(stream, input, context)
    return { statusCode: 200, body: { requestId, timestamp: context.clock.nowMs() } }
  },
  refuse(error, headers, { clock }): RouteResponse {
    const requestId = headers['x-amz-firehose-request-id']?.toString() ?? ''
    return {
      statusCode: STATUS_CODES[error.type] ?? error.statusCode,
      body: { requestId, timestamp: clock.nowMs(), errorMessage: error.message },
    }
  },
}

function requireVersion({ headers }: RouteRequest): void {
  const version = headerOf(headers, 'x-amz-firehose-protocol-version') ?? '1.0'
  if (version === '1.0') return
  throw invalidArgument(`Cannot speak version ${version} of the protocol, only 1.0`)
}

function requireSameId({ headers }: RouteRequest, requestId: string): void {
  if ((headerOf(headers, 'x-amz-firehose-request-id') ?? requestId) === requestId) return
  throw invalidArgument('The requestId of the body is not that of X-Amz-Firehose-Request-Id')
}

function isGzip({ headers }: RouteRequest): boolean {
  const coding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (coding === 'gzip' || coding === 'identity') return coding === 'gzip'
  const message = `Cannot read Content-Encoding ${coding}, only gzip`
  throw new ApiError('UnsupportedMediaTypeException', message)
}

async function unpacked({ body }: RouteRequest): Promise<Buffer> {
  try {
    return await decompress('gzip', body, BODY_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof DecompressionError)) throw error
    if (error.reason === 'corrupt') throw serializationError(error.message)
    throw new ApiError('RequestEntityTooLargeException', error.message, { cause: error })
  }
}

/** Said once for each version of a stream. */
const noted = new WeakSet<DeliveryStream>()

/** Common attributes have no place in a record, and are not kept. */
function noteAttributes(
  { headers }: RouteRequest,
  stream: DeliveryStream,
  { logger }: ApiContext,
): void {
  if (headerOf(headers, 'x-amz-firehose-common-attributes') === undefined) return
  if (noted.has(stream)) return
  noted.add(stream)
  const fields = { streamName: stream.name }
  logger.warn(fields, 'Common attributes of requests to the HTTP endpoint are not kept.')
}

async function takeOver(
  { name }: DeliveryStream,
  request: EndpointRequest,
  context: ApiContext,
): Promise<void> {
  const { buffers, clock } = context
  // All of it is read before anything takes effect: what is refused is refused as a whole.
  const payloads = Array.from(cut(request), (range) => payloadOf(request, range, buffers))
  const arrivalMs = clock.nowMs()
  try {
    for (const [index, { recordCount, payload }] of payloads.entries()) {
      const partition = `request/${request.requestId}/${index}`
      const origin = { partition, sequence: 1, position: '', passing: true } as const
      await appendOnce(name, { arrivalMs, recordCount, payload, origin }, context)
    }
  } finally {
    for (const { payload } of payloads) buffers.give(payload)
  }
}

async function appendOnce(streamName: string, chunk: Chunk, context: ApiContext): Promise<void> {
  try {
    await putChunk('HttpEndpoint', streamName, chunk, context)
  } catch (error) {
    // The request was sent before, and this part of it is durable.
    if (!(error instanceof PositionMoved)) throw error
  }
}

interface Range {
  readonly from: number
  readonly to: number
  /** Of the payload, at most. */
  readonly roomBytes: number
}

/** Where the chunks begin and end hangs on the records' lengths alone. */
function* cut({ recordCount, textLength }: EndpointRequest): Generator<Range> {
  let from = 0
  let roomBytes = 0
  for (let index = 0; index < recordCount; index += 1) {
    const recordBytes = payloadBytes(1, Math.ceil(textLength(index) / 4) * 3)
    if (index > from && roomBytes + recordBytes > CHUNK_BYTES_MAX) {
      yield { from, to: index, roomBytes }
      from = index
      roomBytes = 0
    }
    roomBytes += recordBytes
  }
  if (recordCount > from) yield { from, to: recordCount, roomBytes }
}

function payloadOf(
  request: EndpointRequest,
  { from, to, roomBytes }: Range,
  buffers: BufferPool,
): Pick<Chunk, 'recordCount' | 'payload'> {
  const recordCount = to - from
  const payload = buffers.take(roomBytes)
  let end = dataOffset(recordCount)
  for (let index = 0; index < recordCount; index += 1) {
    const sizeBytes = writeBase64(request.text(from + index), payload, end)
    if (sizeBytes === undefined) {
      throw serializationError(`Cannot read the body: record ${from + index + 1} is not base64`)
    }
    if (sizeBytes > RECORD_BYTES_MAX) {
      const message = `Cannot take record ${from + index + 1}: it exceeds ${RECORD_BYTES_MAX} bytes`
      throw new ApiError('RequestEntityTooLargeException', message)
    }
    setRecordLength(payload, index, sizeBytes)
    end += sizeBytes
  }
  return { recordCount, payload: payload.subarray(0, end) }
}

/** An empty one is none. */
function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  return headers[name]?.toString() || undefined
}
