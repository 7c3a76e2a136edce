/**
 * `POST /streams/{name}/records`: for people without an SDK. The answer lists the record ids in the
 * order of the records. A body that can't be read as a whole is refused before anything is taken.
 *
 * A long body is appended in several durable writes, one after the other. When one of them is refused
 * the answer is that error, with the ids of the records before it: the first `AcceptedCount` records
 * are taken, the others are not and may be sent again.
 */
import { chunkOf } from '../../chunk.ts'
import type { JsonObject } from '../../base/json.ts'
import { decompress, DecompressionError } from '../../formats/decompression.ts'
import type { ContentCoding } from '../../formats/decompression.ts'
import { encodeRecordId } from '../../record.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, serializationError } from '../exceptions.ts'
import type { Route, RouteRequest, RouteResponse } from '../operation.ts'
import { directPutStream } from '../operations/stream-lookup.ts'
import { putChunk } from '../put/put-call.ts'
import { BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX } from '../put/put-limits.ts'
import { splitRecords } from './record-splitting.ts'
import { ContentBudget } from './content-budget.ts'
import { parameterOf } from './route-parameters.ts'

const BODY_BYTES_MAX = 8 * 1024 * 1024
const CONTENT_BYTES_MAX = 32 * 1024 * 1024
/** Of the whole process. */
const contents = new ContentBudget(2 * CONTENT_BYTES_MAX)
const CONTENT_CODINGS: ReadonlyMap<string, ContentCoding> = new Map([
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['zstd', 'zstd'],
])

export const putRecords: Route = {
  method: 'POST',
  path: '/streams/{name}/records',
  action: 'PutRecords',
  bodyBytesMax: BODY_BYTES_MAX,
  audited: false,
  async handle(request, context) {
    const streamName = parameterOf(request, 'name')
    directPutStream(context, streamName)
    const coding = codingOf(request)
    using held = coding === 'identity' ? undefined : await contents.hold(CONTENT_BYTES_MAX)
    const content = await contentOf(request, coding)
    held?.shrinkTo(content.byteLength)
    const records = splitRecords(request.headers['content-type'], content)
    return await appendAll(streamName, records, context)
  },
}

function codingOf({ headers }: RouteRequest): ContentCoding {
  const name = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  const coding = CONTENT_CODINGS.get(name)
  if (coding !== undefined) return coding
  const known = [...CONTENT_CODINGS.keys()].join(', ')
  const message = `Cannot read Content-Encoding ${name}, only ${known}`
  throw new ApiError('UnsupportedMediaTypeException', message)
}

async function contentOf({ body }: RouteRequest, coding: ContentCoding): Promise<Buffer> {
  try {
    return await decompress(coding, body, CONTENT_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof DecompressionError)) throw error
    if (error.reason === 'corrupt') throw serializationError(error.message)
    throw new ApiError('RequestEntityTooLargeException', error.message, { cause: error })
  }
}

async function appendAll(
  streamName: string,
  records: readonly Buffer[],
  context: ApiContext,
): Promise<RouteResponse> {
  const recordIds: string[] = []
  const accepted = (): JsonObject => ({ AcceptedCount: recordIds.length, RecordIds: recordIds })
  try {
    for (const group of groupsOf(records)) {
      const chunk = chunkOf(group, context.clock.nowMs())
      const { batchId, firstOrdinal } = await putChunk('HttpRecords', streamName, chunk, context)
      for (const index of group.keys())
        recordIds.push(encodeRecordId(batchId, firstOrdinal + index))
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { statusCode: error.statusCode, body: { ...error.toBody(), ...accepted() } }
  }
  return { statusCode: 200, body: accepted() }
}

/** Runs of records, each within the limits of PutRecordBatch. */
function* groupsOf(records: readonly Buffer[]): Generator<readonly Buffer[]> {
  let group: Buffer[] = []
  let groupBytes = 0
  for (const record of records) {
    const isFull =
      group.length === BATCH_RECORD_COUNT_MAX || groupBytes + record.byteLength > BATCH_BYTES_MAX
    if (isFull) {
      yield group
      group = []
      groupBytes = 0
    }
    group.push(record)
    groupBytes += record.byteLength
  }
  if (group.length > 0) yield group
}
