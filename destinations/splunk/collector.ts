/**
 * One conversation with the collector: the records are posted on a channel, the answer gives the post
 * an ackId, and the collector is asked about that until the records are indexed.
 *
 * The acknowledgement is known to the one node behind a load balancer that took the post, so the
 * cookies of its answer go with the questions.
 */
import type { Clock } from '../../src/base/clock.ts'
import { isJsonObject } from '../../src/base/json.ts'
import { DeliveryError } from '../../src/destination.ts'
import { bodyOf, headerValues } from '../../src/requests/http-client.ts'
import type { HttpAnswer, HttpClient } from '../../src/requests/http-client.ts'
import { RequestFailure } from '../../src/requests/request-failure.ts'
import { hecFailure, noAnswer, replyOf } from './hec.ts'

export interface ConversationOptions {
  readonly client: HttpClient
  readonly clock: Clock
  /** HECEndpoint. */
  readonly endpoint: string
  readonly endpointType: 'Raw' | 'Event'
  readonly token: string
  /** A GUID. */
  readonly channel: string
  /** For all of it. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

interface Acknowledgement {
  readonly ackId: number
  readonly cookie: string
  readonly deadlineMs: number
}

const POLL_MS_MIN = 250
const POLL_MS_MAX = 10_000
const QUESTION_TIMEOUT_MS = 30_000

export class Conversation {
  readonly #options: ConversationOptions

  constructor(options: ConversationOptions) {
    this.#options = options
  }

  /**
   * Resolves when the bytes are indexed.
   * @throws DeliveryError
   */
  async send(bytes: Buffer): Promise<void> {
    const { clock, endpointType, timeoutMs } = this.#options
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const answer = await this.#post(endpointType.toLowerCase(), bytes, timeoutMs).catch(
      (error: unknown) => {
        throw this.#noAnswer(error)
      },
    )
    const { code, ackId } = replyOf(answer)
    if (answer.status !== 200 || code !== 0) throw this.#failure(answer)
    if (typeof ackId !== 'number') {
      throw new DeliveryError(
        'Splunk.DisabledAck',
        'Splunk gave no ackId: indexer acknowledgement must be enabled for the HEC token',
        { retryable: true, effect: 'unknown', brake: true },
      )
    }
    await this.#awaitIndexing({ ackId, cookie: cookieOf(answer), deadlineMs })
  }

  async #awaitIndexing(acknowledgement: Acknowledgement): Promise<void> {
    const { clock, signal } = this.#options
    let intervalMs = POLL_MS_MIN
    for (;;) {
      const leftMs = acknowledgement.deadlineMs - clock.monotonicMs()
      if (leftMs <= 0) {
        throw new DeliveryError(
          'Splunk.AckTimeout',
          'Splunk has not acknowledged in time that it indexed the data, but may have done so',
          { retryable: true, effect: 'unknown' },
        )
      }
      if (await this.#isIndexed(acknowledgement, Math.min(leftMs, QUESTION_TIMEOUT_MS))) return
      await clock.sleep(Math.min(intervalMs, leftMs), signal)
      intervalMs = Math.min(intervalMs * 2, POLL_MS_MAX)
    }
  }

  /** A question without an answer, or with a confused one, is asked again. */
  async #isIndexed({ ackId, cookie }: Acknowledgement, timeoutMs: number): Promise<boolean> {
    const question = Buffer.from(JSON.stringify({ acks: [ackId] }))
    const answer = await this.#post('ack', question, timeoutMs, cookie).catch((error: unknown) => {
      if (error instanceof RequestFailure && error.kind !== 'aborted') return undefined
      throw this.#noAnswer(error)
    })
    if (answer === undefined) return false
    if (answer.status === 200) {
      const { acks } = replyOf(answer)
      return isJsonObject(acks) && acks[ackId] === true
    }
    const failure = this.#failure(answer, 'unknown')
    if (failure.brake) throw failure
    return false
  }

  #post(path: string, bytes: Buffer, timeoutMs: number, cookie = ''): Promise<HttpAnswer> {
    const { client, endpoint, token, channel, signal } = this.#options
    const url = `${endpoint.replace(/\/+$/, '')}/services/collector/${path}?channel=${channel}`
    const headers = {
      Authorization: `Splunk ${token}`,
      'X-Splunk-Request-Channel': channel,
      'Content-Type': path === 'raw' ? 'text/plain' : 'application/json',
      ...(cookie !== '' && { Cookie: cookie }),
    }
    return client.post({ url, headers, body: bodyOf(bytes), timeoutMs }, signal)
  }

  /** @param effect of what was posted; absent: as the answer says */
  #failure(answer: HttpAnswer, effect?: 'unknown'): DeliveryError {
    const { token, clock } = this.#options
    return hecFailure(answer, { token, nowMs: clock.nowMs(), ...(effect && { effect }) })
  }

  #noAnswer(error: unknown): unknown {
    if (!(error instanceof RequestFailure)) return error
    return noAnswer(new URL(this.#options.endpoint).origin, error)
  }
}

/** The names and values of the cookies that an answer sets. */
function cookieOf(answer: HttpAnswer): string {
  const cookies = headerValues(answer.headers, 'set-cookie')
  return cookies.map((cookie) => cookie.split(';', 1)[0]).join('; ')
}
