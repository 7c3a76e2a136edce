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

export interface Metrics {
  put(observation: PutObservation): void
  /** A control operation of the API; `errorType` is empty when it succeeded. */
  operation(name: string, latencyMs: number, errorType: string): void
  delivery(observation: DeliveryObservation): void
}

export const noMetrics: Metrics = { put() {}, operation() {}, delivery() {} }
