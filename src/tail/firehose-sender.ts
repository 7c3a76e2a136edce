import type { Firehose } from '@aws-sdk/client-firehose'
import type { Clock } from '../base/clock.ts'
import { RequestRefused } from './record-sender.ts'
import type { RecordSender } from './record-sender.ts'

/** For one request with the SDK's own attempts; a server that accepts and says nothing ends here. */
const REQUEST_MS_MAX = 60_000
/** Errors of the client's side that pass by themselves. */
const PASSING = /Throttl|LimitExceeded|SlowDown|TooManyRequests|RequestTimeout|ServiceUnavailable/

/** Sends by PutRecordBatch. */
export class FirehoseSender implements RecordSender {
  readonly #firehose: Firehose
  readonly #streamName: string
  readonly #clock: Clock

  constructor(firehose: Firehose, streamName: string, clock: Clock) {
    this.#firehose = firehose
    this.#streamName = streamName
    this.#clock = clock
  }

  async send(records: readonly Buffer[]): ReturnType<RecordSender['send']> {
    const answered = new AbortController()
    const late = new AbortController()
    void this.#clock.sleep(REQUEST_MS_MAX, answered.signal).then(() => late.abort())
    try {
      const { RequestResponses = [] } = await this.#firehose.putRecordBatch(
        { DeliveryStreamName: this.#streamName, Records: records.map((Data) => ({ Data })) },
        { abortSignal: late.signal },
      )
      return records.flatMap((_, index) => {
        const { RecordId, ErrorCode, ErrorMessage } = RequestResponses[index] ?? {}
        const reason = ErrorCode === undefined ? 'no answer' : `${ErrorCode}: ${ErrorMessage}`
        return RecordId === undefined ? [{ index, reason }] : []
      })
    } catch (error) {
      if (isMistake(error)) {
        throw new RequestRefused(`${error.name}: ${error.message}`, { cause: error })
      }
      throw error
    } finally {
      answered.abort()
    }
  }
}

function isMistake(error: unknown): error is Error {
  if (!(error instanceof Error) || !('$metadata' in error)) return false
  const { httpStatusCode = 0 } = error.$metadata as { httpStatusCode?: number }
  const isClientSide = httpStatusCode >= 400 && httpStatusCode < 500 && httpStatusCode !== 429
  return isClientSide && !PASSING.test(error.name)
}
