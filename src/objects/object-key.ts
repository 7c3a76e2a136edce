import { strict as assert } from 'node:assert'
import type { BatchId } from '../batch.ts'
import type { DateFormat } from './date-pattern.ts'
import { compileDatePattern } from './date-pattern.ts'
import { derivedBytes } from './derived-bytes.ts'

/** What S3 takes, in bytes of UTF-8. */
const KEY_BYTES_MAX = 1024
/** Room for the longest `<stream>-<version>-<time>-<uuid><extension>`. */
const SUFFIX_BYTES_MAX = 64 + 11 + 20 + 37 + 128
/** A prefix of this size gives a key that S3 takes, whatever the stream's name. */
export const PREFIX_BYTES_MAX = KEY_BYTES_MAX - SUFFIX_BYTES_MAX

export interface ObjectName {
  /** Evaluated, see prefixes.ts. */
  readonly prefix: string
  readonly streamName: string
  readonly versionId: number
  /** Arrival of the oldest record in the object. */
  readonly arrivalMs: number
  /** From `compileKeyTime`. */
  readonly keyTime: DateFormat
  readonly uuid: string
  /** With its dot; may be empty. */
  readonly fileExtension: string
}

/** `<prefix><stream>-<version>-<yyyy>-<MM>-<dd>-<HH>-<mm>-<ss>-<uuid><extension>`, as AWS names objects. */
export function objectKey(name: ObjectName): string {
  const { prefix, streamName, versionId, arrivalMs, keyTime, uuid, fileExtension } = name
  const key = `${prefix}${streamName}-${versionId}-${keyTime(arrivalMs)}-${uuid}${fileExtension}`
  assert(Buffer.byteLength(key) <= KEY_BYTES_MAX, 'prefixes are checked to leave room for a suffix')
  return key
}

/** @throws ConfigurationError for a zone that is none */
export function compileKeyTime(timeZone: string): DateFormat {
  return compileDatePattern('yyyy-MM-dd-HH-mm-ss', timeZone)
}

/** The UUID (version 8, RFC 9562) of a batch's output, the same each time it is asked for. */
export function outputUuid(batchId: BatchId, outputIndex: number): string {
  const bytes = derivedBytes(batchId, 'uuid', outputIndex).subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
