/** What comes back over the wire from a function's invocation. */
import { isJsonObject } from '../base/json.ts'
import type { FunctionAnswer } from '../functions.ts'
import type { InvocationError } from '../functions.ts'
import { functionError } from './deadline.ts'

/** Lambda's own limit: 6 MiB and a little. */
export const ANSWER_BYTES_MAX = 6 * 1024 * 1024 + 100

const ERROR_CODES: Readonly<Record<number, string>> = {
  401: 'Lambda.InvokeAccessDenied',
  403: 'Lambda.InvokeAccessDenied',
  404: 'Lambda.ResourceNotFound',
  429: 'Lambda.InvokeLimitExceeded',
}

/** What an HTTP status other than success means for an invocation. */
export function errorCodeOf(statusCode: number | undefined): string {
  return ERROR_CODES[statusCode ?? 0] ?? 'Lambda.FunctionError'
}

const MESSAGE_CHARACTERS_MAX = 2_000

/** What is not JSON is an answer, too, of which the text is passed on. */
export function parseAnswer(bytes: Uint8Array): FunctionAnswer {
  const sizeBytes = bytes.byteLength
  // No payload is what a handler answers that returns nothing.
  if (sizeBytes === 0) return { value: null, sizeBytes }
  const text = Buffer.from(bytes).toString()
  try {
    return { value: JSON.parse(text) as unknown, sizeBytes }
  } catch {
    return { value: text, sizeBytes }
  }
}

/** The error that a runtime reports as `{"errorType", "errorMessage"}`; undefined for another answer. */
export function reportedError(value: unknown): InvocationError | undefined {
  if (!isJsonObject(value)) return undefined
  const { errorType, errorMessage } = value
  if (typeof errorMessage !== 'string' || 'records' in value) return undefined
  const type = typeof errorType === 'string' && errorType !== '' ? errorType : 'Error'
  return functionError(type, errorMessage.slice(0, MESSAGE_CHARACTERS_MAX))
}
