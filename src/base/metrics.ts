/**
 * What Standpipe counts as it happens, under the names of Firehose's CloudWatch metrics. State that
 * can be looked up (books, backlog, freshness, usage) is read when it is scraped, not pushed.
 */
export interface PutObservation {
  readonly streamName: string
  readonly operation: 'PutRecord' | 'PutRecordBatch' | 'HttpRecords'
  readonly recordCount: number
  readonly dataBytes: number
  /** Records refused with ServiceUnavailableException. */
  readonly throttledCount: number
  readonly latencyMs: number
}

export interface DeliveryObservation {
  readonly streamName: string
  /** Prefix of the metric, e.g. `DeliveryToS3`, `BackupToS3`. */
  readonly metric: string
  readonly success: boolean
  readonly recordCount: number
  readonly dataBytes: number
  readonly objectCount: number
}

/** One call of a function, or of what else a processor asks. */
export interface ExecutionObservation {
  readonly streamName: string
  readonly success: boolean
  readonly durationMs: number
}

/** What processors made of a batch that has arrived. */
export interface ProcessingObservation {
  readonly streamName: string
  /** Records that came through. */
  readonly succeededCount: number
  /** Records that were failed, by error-output-type. */
  readonly failedCounts: ReadonlyMap<string, number>
}

export interface Metrics {
  put(observation: PutObservation): void
  /** A control operation of the API; `errorType` is empty when it succeeded. */
  operation(name: string, latencyMs: number, errorType: string): void
  delivery(observation: DeliveryObservation): void
  execution(observation: ExecutionObservation): void
  processing(observation: ProcessingObservation): void
}

export const noMetrics: Metrics = {
  put() {},
  operation() {},
  delivery() {},
  execution() {},
  processing() {},
}
