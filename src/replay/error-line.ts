/** A record of an error output in AWS's form (facts: error outputs), whichever destination wrote it. */
import { isJsonObject } from '../base/json.ts'
import type { Json } from '../base/json.ts'

export interface ErrorLine {
  readonly data: Buffer
  /** Undefined where the line does not say. */
  readonly arrivalMs: number | undefined
  readonly errorCode: string | undefined
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Undefined when the line is no such record. */
export function parseErrorLine(line: Buffer): ErrorLine | undefined {
  const record = parseJson(line)
  if (!isJsonObject(record)) return undefined
  const { rawData, arrivalTimestamp, attemptsMade } = record
  if (typeof rawData !== 'string' || attemptsMade === undefined) return undefined
  if (!BASE64.test(rawData) || rawData.length % 4 !== 0) return undefined
  // Format conversion used to call it otherwise.
  const errorCode = record['errorCode'] ?? record['lastErrorCode'] ?? record['ErrorCode']
  return {
    data: Buffer.from(rawData, 'base64'),
    arrivalMs: milliseconds(arrivalTimestamp),
    errorCode: errorCode === undefined || errorCode === null ? undefined : textOf(errorCode),
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'))
  } catch {
    return undefined
  }
}

/** Some of AWS's documents print it as a string. */
function milliseconds(value: Json | undefined): number | undefined {
  const text = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof text === 'number' && Number.isFinite(text) ? text : undefined
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
