/**
 * The answers of Splunk's HTTP event collector, in AWS's error codes. Its body says more than its
 * status: `{"text":"Invalid data format","code":6,"invalid-event-number":3}`.
 */
import { isJsonObject } from '../../src/base/json.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { HttpAnswer } from '../../src/requests/http-client.ts'
import type { RequestFailure, RequestFailureKind } from '../../src/requests/request-failure.ts'
import { retryAfterMs } from '../../src/requests/retry-after.ts'

type Meaning = Pick<DeliveryError, 'errorCode' | 'retryable' | 'effect' | 'brake'>

const MESSAGE_LENGTH_MAX = 8192

const FAILURE_CODES: Readonly<Record<RequestFailureKind, string>> = {
  'connection-failed': 'Splunk.ConnectionTimeout',
  'connection-lost': 'Splunk.ConnectionClosed',
  'tls-failed': 'Splunk.SSLHandshake',
  timeout: 'Splunk.ConnectionTimeout',
  'answer-too-large': 'Splunk.InvalidEndpoint',
  'answer-malformed': 'Splunk.InvalidEndpoint',
  aborted: 'Splunk.ConnectionClosed',
}

/** An operator of Splunk or of the stream has to act. */
const braking = (errorCode: string): Meaning => ({
  errorCode,
  retryable: true,
  effect: 'none',
  brake: true,
})
const retried = (errorCode: string, effect: 'none' | 'unknown'): Meaning => ({
  errorCode,
  retryable: true,
  effect,
  brake: false,
})
const REFUSED: Meaning = {
  errorCode: 'Splunk.InvalidDataFormat',
  retryable: false,
  effect: 'none',
  brake: false,
}

/** Where the code says something that the status does not. */
const MEANINGS: ReadonlyMap<unknown, Meaning> = new Map([
  // Token disabled.
  [1, braking('Splunk.DisabledToken')],
  // No data; invalid data format; an event is missing or blank; indexed fields can't be handled.
  [5, REFUSED],
  [6, REFUSED],
  [12, REFUSED],
  [13, REFUSED],
  [15, REFUSED],
  // Incorrect index.
  [7, retried('Splunk.InvalidIndex', 'none')],
  // Server is busy.
  [9, retried('Splunk.IndexerBusy', 'none')],
  // Acknowledgement is disabled for this token.
  [14, braking('Splunk.DisabledAck')],
])

/** @param origin the URL's */
export function noAnswer(origin: string, failure: RequestFailure): DeliveryError {
  const { kind, effect, message } = failure
  return new DeliveryError(FAILURE_CODES[kind], `Cannot post to ${origin}: ${message}`, {
    retryable: true,
    effect,
    // A certificate does not mend itself.
    brake: kind === 'tls-failed',
    cause: failure,
  })
}

/** The members of an answer's body; none when it is not JSON. */
export function replyOf({ body }: HttpAnswer): JsonObject {
  try {
    const reply: unknown = JSON.parse(body.toString('utf8'))
    return isJsonObject(reply) ? reply : {}
  } catch {
    return {}
  }
}

export interface Posted {
  /** Not to be seen in a message, should the endpoint repeat it. */
  readonly token: string
  readonly nowMs: number
  /** Of what was posted before, when the answer is about that. */
  readonly effect?: 'unknown'
}

/** An answer that is not a success, as a failure of the attempt. */
export function hecFailure(answer: HttpAnswer, { token, nowMs, effect }: Posted): DeliveryError {
  const { errorCode, ...meaning } = MEANINGS.get(replyOf(answer)['code']) ?? byStatus(answer.status)
  const text = answer.body.toString('utf8').replaceAll(token, '***')
  const waitMs = retryAfterMs(answer.headers, nowMs)
  return new DeliveryError(
    errorCode,
    `Splunk answered ${answer.status} ${text}`.trimEnd().slice(0, MESSAGE_LENGTH_MAX),
    {
      ...meaning,
      ...(effect && { effect }),
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    },
  )
}

function byStatus(status: number): Meaning {
  if (status === 401 || status === 403) return braking('Splunk.InvalidToken')
  if (status === 404) return braking('Splunk.InvalidEndpoint')
  if (status === 413) return REFUSED
  if (status === 429 || status === 503) return retried('Splunk.IndexerBusy', 'none')
  if (status < 300) return retried('Splunk.InvalidEndpoint', 'unknown')
  return retried('Splunk.ServerError', status < 500 ? 'none' : 'unknown')
}
