/**
 * What an endpoint's answer, or the want of one, means (facts: HTTP endpoint). Taken is only a 200
 * whose body is JSON with the request's own id and a timestamp in ms. All else is worth another
 * attempt, but for 413: the same request will always be too large.
 */
import { isJsonObject } from '../../src/base/json.ts'
import { DeliveryError } from '../../src/destination.ts'
import { headerValues } from '../../src/requests/http-client.ts'
import type { HttpAnswer } from '../../src/requests/http-client.ts'
import type { RequestFailure, RequestFailureKind } from '../../src/requests/request-failure.ts'
import { retryAfterMs } from '../../src/requests/retry-after.ts'

const MESSAGE_LENGTH_MAX = 8192

const ERROR_CODES: Readonly<Record<RequestFailureKind, string>> = {
  'connection-failed': 'HttpEndpoint.ConnectionFailed',
  'connection-lost': 'HttpEndpoint.ConnectionReset',
  'tls-failed': 'HttpEndpoint.SSLHandshakeFailure',
  timeout: 'HttpEndpoint.RequestTimeout',
  'answer-too-large': 'HttpEndpoint.ResponseTooLarge',
  'answer-malformed': 'HttpEndpoint.InvalidResponseFromDestination',
  aborted: 'HttpEndpoint.RequestAborted',
}

/** @param origin the URL's: its path may hold a token */
export function noAnswer(origin: string, failure: RequestFailure): DeliveryError {
  const { kind, effect, message } = failure
  return new DeliveryError(ERROR_CODES[kind], `Cannot post to ${origin}: ${message}`, {
    retryable: true,
    effect,
    // A certificate does not mend itself.
    brake: kind === 'tls-failed',
    cause: failure,
  })
}

export interface AnsweredRequest {
  readonly requestId: string
  /** Not to be seen in a message, should the endpoint repeat it. */
  readonly accessKey: string | undefined
  readonly nowMs: number
}

/** Undefined: the endpoint has taken the request. */
export function refusal(answer: HttpAnswer, request: AnsweredRequest): DeliveryError | undefined {
  const { status } = answer
  const text = answerText(answer, request.accessKey)
  if (status !== 200) {
    const waitMs = retryAfterMs(answer.headers, request.nowMs)
    return new DeliveryError(
      'HttpEndpoint.DestinationException',
      `Received the following response from the endpoint destination. ${status} ${text}`
        .trimEnd()
        .slice(0, MESSAGE_LENGTH_MAX),
      {
        retryable: status !== 413,
        // A redirect and a refusal are the end of it; another 2xx and a 5xx may come after the effect.
        effect: status >= 300 && status < 500 ? 'none' : 'unknown',
        brake: [401, 403, 404].includes(status),
        ...(waitMs !== undefined && { retryAfterMs: waitMs }),
      },
    )
  }
  const reason = invalidity(answer, request.requestId)
  if (reason === undefined) return undefined
  return new DeliveryError(
    'HttpEndpoint.InvalidResponseFromDestination',
    `The response received from the endpoint destination is invalid: ${reason}. ${text}`
      .trimEnd()
      .slice(0, MESSAGE_LENGTH_MAX),
    { retryable: true, effect: 'unknown' },
  )
}

function invalidity(answer: HttpAnswer, expectedId: string): string | undefined {
  const [contentType = ''] = headerValues(answer.headers, 'content-type')
  const [mediaType = ''] = contentType.split(';', 1)
  if (mediaType.trim().toLowerCase() !== 'application/json') {
    return 'its Content-Type is not application/json'
  }
  const reply = parseJson(answer.body)
  if (!isJsonObject(reply)) return 'its body is not a JSON object'
  const { requestId, timestamp } = reply
  if (requestId !== expectedId) return `its requestId is not ${expectedId}`
  if (typeof timestamp !== 'number') return 'its timestamp is not a number'
  return undefined
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown
  } catch {
    return undefined
  }
}

function answerText({ body }: HttpAnswer, accessKey: string | undefined): string {
  const text = body.toString('utf8')
  return accessKey ? text.replaceAll(accessKey, '***') : text
}
