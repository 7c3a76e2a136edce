import type { ServerResponse } from 'node:http'
import type { JsonObject } from '../base/json.ts'
import { BackendUnavailable } from '../backend.ts'
import { ApiError } from './exceptions.ts'
import type { RouteResponse } from './operation.ts'

export const AWS_JSON = 'application/x-amz-json-1.1'

/** What goes back to a client. */
export interface Answer {
  readonly statusCode: number
  readonly contentType: string
  readonly body: string
  /** Its type, for clients that look for errors in the headers. */
  readonly errorType?: string
}

export function jsonAnswer(body: JsonObject | string): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { statusCode: 200, contentType: AWS_JSON, body: text }
}

export function errorAnswer(error: unknown): Answer {
  const answered = publicError(error)
  return {
    statusCode: answered.statusCode,
    contentType: AWS_JSON,
    body: JSON.stringify(answered.toBody()),
    errorType: answered.type,
  }
}

/** Of an error that isn't an answer only this much goes out: something went wrong, or try again. */
export function publicError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  if (cause instanceof BackendUnavailable) {
    const message = 'What keeps the records does not answer; try again'
    return new ApiError('ServiceUnavailableException', message, { cause })
  }
  return new ApiError('InternalFailure', 'The request processing has failed', { cause })
}

export function routeAnswer({ statusCode, body, contentType }: RouteResponse): Answer {
  if (typeof body === 'string') {
    return { statusCode, contentType: contentType ?? 'text/plain; charset=utf-8', body }
  }
  const text = JSON.stringify(body)
  return { statusCode, contentType: contentType ?? 'application/json', body: text }
}

export function send(
  response: ServerResponse,
  answer: Answer,
  requestId: string,
  { close }: { readonly close: boolean },
): void {
  const headers: Record<string, string | number> = {
    'Content-Type': answer.contentType,
    'Content-Length': Buffer.byteLength(answer.body),
    'x-amzn-RequestId': requestId,
  }
  if (answer.errorType !== undefined) headers['x-amzn-ErrorType'] = answer.errorType
  if (close) headers['Connection'] = 'close'
  response.writeHead(answer.statusCode, headers)
  response.end(answer.body)
}
