/** Where made records go: a Firehose or a Kinesis stream behind one contract. */

export interface MadeRecord {
  readonly data: Buffer
  /** Kinesis only. */
  readonly partitionKey?: string
}

/** What the service takes in one request; sizes count data and partition keys. */
export interface SinkLimits {
  readonly recordsMax: number
  readonly batchBytesMax: number
  readonly recordBytesMax: number
}

export interface PutAnswer {
  /** Places in the batch of the records that were not taken; these may be sent again. */
  readonly refused: readonly number[]
  /** Why, of one of them; empty when all were taken. */
  readonly reason: string
}

export interface RecordSink {
  readonly limits: SinkLimits
  /** Makes one attempt. Throws what the SDK throws when the request as a whole is not answered well. */
  put(records: readonly MadeRecord[]): Promise<PutAnswer>
}

/** What each record of a request was answered, in order; one without an answer was not taken. */
export function putAnswerOf(
  count: number,
  responses: readonly { ErrorCode?: string | undefined; ErrorMessage?: string | undefined }[] = [],
): PutAnswer {
  const refused: number[] = []
  let reason = ''
  for (let index = 0; index < count; index += 1) {
    const { ErrorCode, ErrorMessage } = responses[index] ?? { ErrorCode: 'NoAnswer' }
    if (ErrorCode === undefined) continue
    refused.push(index)
    reason = ErrorMessage === undefined ? ErrorCode : `${ErrorCode}: ${ErrorMessage}`
  }
  return { refused, reason }
}

/**
 * - `unreachable`: no answer; whether the records were taken is unknown.
 * - `busy`: the service could not take them now (throttling, 5xx).
 * - `final`: it will not take them however often they are sent (no such stream, not allowed, …).
 */
export type PutFailure = 'unreachable' | 'busy' | 'final'

const TOO_MANY_REQUESTS = 429
const THROTTLED = /^(?:Throttling|LimitExceeded|ProvisionedThroughputExceeded|KMSThrottling)/

export function classifyFailure(error: unknown): PutFailure {
  if (!(error instanceof Error) || !('$metadata' in error)) return 'final'
  const { httpStatusCode: status } = error.$metadata as { httpStatusCode?: number }
  if (status === undefined) return 'unreachable'
  const isBusy = status >= 500 || status === TOO_MANY_REQUESTS || THROTTLED.test(error.name)
  return isBusy ? 'busy' : 'final'
}

export function sizeOf({ data, partitionKey = '' }: MadeRecord): number {
  return data.byteLength + Buffer.byteLength(partitionKey)
}
