/** The original records that an object holds, in order. */
import { extname } from 'node:path/posix'
import { DecompressionError } from '../formats/decompression.ts'
import { decompressedObject, isObjectCoding } from '../formats/decompression-stream.ts'
import type { ObjectCoding } from '../formats/decompression-stream.ts'
import { readLines } from '../formats/lines.ts'
import type { ObjectReader } from '../object-store.ts'
import type { ReplayFormat } from '../replay.ts'
import { parseErrorLine } from './error-line.ts'

/** An object that can't be read as what it should be; trying again does not help. */
export class UnreadableObject extends Error {
  override readonly name = 'UnreadableObject'
}

export interface SourceRecord {
  /** Its place in the object. */
  readonly index: number
  readonly data: Buffer
  /** What the error output says of it; undefined for plain records. */
  readonly error:
    | { readonly arrivalMs: number | undefined; readonly errorCode: string | undefined }
    | undefined
}

export interface SourceObject {
  readonly bucket: string
  readonly key: string
  readonly format: ReplayFormat | undefined
}

/** Unpacked. No object of Firehose's comes near it; a bomb ends here. */
const CONTENT_BYTES_MAX = 8 * 1024 * 1024 * 1024
const RECORD_COUNT_MAX = 16_000_000
/** A record in base64 with what a server may have answered. */
const LINE_BYTES_MAX = 8 * 1024 * 1024
const RECORD_BYTES_MAX = 1_024_000

const CODINGS_BY_EXTENSION: Readonly<Record<string, ObjectCoding>> = {
  '.gz': 'gzip',
  '.zst': 'zstd',
  '.zip': 'zip',
  '.snappy': 'snappy',
}

/** @throws UnreadableObject, DeliveryError */
export async function* readRecords(
  reader: ObjectReader,
  object: SourceObject,
  signal: AbortSignal,
): AsyncGenerator<SourceRecord> {
  const { bucket, key } = object
  const { contentEncoding, bytes } = await reader.get(bucket, key, signal)
  const content = decompressedObject(codingOf(object, contentEncoding), bytes, CONTENT_BYTES_MAX)
  try {
    yield* recordsIn(content, object)
  } catch (error) {
    const isContent = error instanceof DecompressionError || error instanceof RangeError
    if (!isContent) throw error
    throw unreadable(object, error.message, { cause: error })
  }
}

async function* recordsIn(
  content: AsyncIterable<Buffer>,
  object: SourceObject,
): AsyncGenerator<SourceRecord> {
  let { format } = object
  let index = 0
  for await (const line of readLines(content, {
    lineBytesMax: LINE_BYTES_MAX,
    keepNewline: true,
  })) {
    if (index === RECORD_COUNT_MAX) throw new RangeError('it has too many records')
    const error = format === 'records' ? undefined : parseErrorLine(line)
    format ??= error === undefined ? 'records' : 'error'
    if (error !== undefined) {
      const { data, arrivalMs, errorCode } = error
      yield { index, data, error: { arrivalMs, errorCode } }
    } else if (format === 'error') {
      throw unreadable(object, `line ${index + 1} is no error record`)
    } else {
      if (line.byteLength > RECORD_BYTES_MAX) {
        throw unreadable(object, `record ${index + 1} exceeds ${RECORD_BYTES_MAX} bytes`)
      }
      yield { index, data: line, error: undefined }
    }
    index += 1
  }
}

/** @throws UnreadableObject */
function codingOf(object: SourceObject, contentEncoding: string | undefined): ObjectCoding {
  // SDKs that upload in signed chunks leave that in the encoding.
  const coding = (contentEncoding ?? '')
    .toLowerCase()
    .replace(/\baws-chunked\b,?/, '')
    .trim()
  if (isObjectCoding(coding)) return coding
  if (coding !== '') throw unreadable(object, `its Content-Encoding is ${coding}`)
  return CODINGS_BY_EXTENSION[extname(object.key)] ?? 'identity'
}

function unreadable(
  { bucket, key }: SourceObject,
  reason: string,
  options?: ErrorOptions,
): UnreadableObject {
  return new UnreadableObject(`Cannot read ${bucket}/${key}: ${reason}`, options)
}
