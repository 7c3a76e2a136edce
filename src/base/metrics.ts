/**
 * What Standpipe counts as it happens, under the names of Firehose's CloudWatch metrics. State that
 * can be looked up (books, backlog, freshness, usage) is read when it is scraped, not pushed.
 */
export interface PutObservation {
  readonly streamName: string
  readonly operation: 'PutRecord' | 'PutRecordBatch' | 'HttpRecords' | 'HttpEndpoint'
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

/** What was taken over of a stream's source. */
export interface SourceReadObservation {
  readonly streamName: string
  /** Prefix of the metric, e.g. `DataReadFromKinesisStream`. */
  readonly metric: string
  readonly recordCount: number
  readonly dataBytes: number
}

export interface Metrics {
  put(observation: PutObservation): void
  /** A control operation of the API; `errorType` is empty when it succeeded. */
  operation(name: string, latencyMs: number, errorType: string): void
  delivery(observation: DeliveryObservation): void
  execution(observation: ExecutionObservation): void
  processing(observation: ProcessingObservation): void
  sourceRead(observation: SourceReadObservation): void
  /** Records of a source were gone before they were read; `lostCount` is 0 where it is not known. */
  sourceGap(streamName: string, lostCount: number): void
  /** Something of a source could not be read, and is tried again. */
  sourceFailure(streamName: string): void
  /** A source's service refused a call because of its limits. */
  sourceThrottled(streamName: string, operation: string): void
}

export const noMetrics: Metrics = {
  put() {},
  operation() {},
  delivery() {},
  execution() {},
  processing() {},
  sourceRead() {},
  sourceGap() {},
  sourceFailure() {},
  sourceThrottled() {},
}
