/**
 * Firehose's CloudWatch metrics for Prometheus. `IncomingRecords` becomes
 * `firehose_incoming_records_total`, `DeliveryToS3.Bytes` `firehose_delivery_to_s3_bytes_total`; the
 * dimension DeliveryStreamName is the label `delivery_stream`. `Success`, a ratio at AWS, is two
 * counters here. What AWS does not have is named `standpipe_…`: the books, the backlog, the store.
 *
 * What happens is counted as it happens; what is the case is asked for at each scrape. Series of a
 * stream that is gone are dropped then.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type {
  DeliveryObservation,
  ExecutionObservation,
  Metrics,
  ProcessingObservation,
  PutObservation,
  SourceReadObservation,
} from './metrics.ts'

/** What is the case with a stream, looked up when it is scraped. */
export interface StreamSample {
  readonly streamName: string
  /** Prefix of its delivery metrics, e.g. `DeliveryToS3`. */
  readonly metric: string
  readonly books: {
    readonly accepted: number
    readonly made: number
    readonly delivered: number
    readonly dropped: number
    readonly errored: number
    readonly quarantined: number
  }
  readonly pendingRecordCount: number
  readonly backlogBytes: number
  readonly parkedBatchCount: number
  /** Age of the oldest undelivered record; undefined when there is none. */
  readonly dataFreshnessMs: number | undefined
  /** `running`, `suspect`, `braked` or `paused`. */
  readonly state: string
  /** Absent: the stream has no source, or others read it. */
  readonly source?: SourceSample
}

export interface SourceSample {
  /** `starting`, `reading`, `paused` or `failing`. */
  readonly state: string
  /** AWS's metric of how far a source is behind, and its value: that of the partition furthest behind. */
  readonly behind?: { readonly metric: string; readonly value: number }
  /** Those that are read now. */
  readonly partitions: readonly {
    readonly partition: string
    readonly behindLatestMs?: number
    readonly lagCount?: number
  }[]
}

export interface StoreSample {
  readonly storedBytes: number
  readonly quotaBytes: number
  readonly batchCount: number
  readonly quarantinedChunkCount: number
  readonly accepting: boolean
}

export interface MetricsSources {
  /** Undefined: it can't be told now, and the gauges of streams are left out. */
  streams(): Promise<readonly StreamSample[] | undefined>
  store(): StoreSample
}

/** From 1 ms, where a group commit is at its best, to 10 s, where clients give up. */
const LATENCY_BUCKETS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]
const STREAM = 'delivery_stream'

export class PrometheusMetrics implements Metrics {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #sources: MetricsSources
  readonly #byName = new Map<string, Counter | Gauge>()
  readonly #streamNames = new Set<string>()
  readonly #latency: Histogram
  readonly #errors: Counter

  constructor(sources: MetricsSources) {
    this.#sources = sources
    this.contentType = this.#registry.contentType
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    this.#latency = new Histogram({
      name: 'firehose_request_latency_seconds',
      help: 'PutRecord.Latency, PutRecordBatch.Latency and those of the control operations.',
      labelNames: ['operation'],
      buckets: LATENCY_BUCKETS_SECONDS,
      registers,
    })
    this.#errors = new Counter({
      name: 'firehose_request_errors_total',
      help: 'Control operations that were answered with an error.',
      labelNames: ['operation', 'error_type'],
      registers,
    })
  }

  put(observation: PutObservation): void {
    const { streamName, operation, recordCount, dataBytes, throttledCount } = observation
    // What is throttled did not come in; it is always the whole call.
    const taken = throttledCount === 0 ? 1 : 0
    const count = (what: string, help: string, by: number): void =>
      this.#count(`firehose_incoming_${what}_total`, `Incoming${help}.`, streamName, by * taken)
    count('put_requests', 'PutRequests', 1)
    count('records', 'Records', recordCount)
    count('bytes', 'Bytes', dataBytes)
    this.#count('firehose_throttled_records_total', 'ThrottledRecords.', streamName, throttledCount)
    this.#latency.observe({ operation }, observation.latencyMs / 1000)
  }

  operation(name: string, latencyMs: number, errorType: string): void {
    this.#latency.observe({ operation: name }, latencyMs / 1000)
    if (errorType !== '') this.#errors.inc({ operation: name, error_type: errorType })
  }

  delivery(observation: DeliveryObservation): void {
    const { streamName, metric, success, recordCount, dataBytes, objectCount } = observation
    const count = (what: string, help: string, by: number): void =>
      this.#count(
        `firehose_${snakeCase(metric)}_${what}_total`,
        `${metric}.${help}`,
        streamName,
        by,
      )
    count('success', 'Success: deliveries that succeeded.', success ? 1 : 0)
    count('failures', 'Success: attempts that failed.', success ? 0 : 1)
    count('records', 'Records.', recordCount)
    count('bytes', 'Bytes, as they were sent to Standpipe.', dataBytes)
    count('object_count', 'ObjectCount.', objectCount)
  }

  execution({ streamName, success, durationMs }: ExecutionObservation): void {
    const count = (what: string, help: string, by: number): void =>
      this.#count(
        `firehose_execute_processing_${what}_total`,
        `ExecuteProcessing.${help}`,
        streamName,
        by,
      )
    count('success', 'Success: calls of functions that succeeded.', success ? 1 : 0)
    count('failures', 'Success: calls that failed.', success ? 0 : 1)
    count('duration_seconds', 'Duration, summed up.', durationMs / 1000)
  }

  processing({ streamName, succeededCount, failedCounts }: ProcessingObservation): void {
    const success = 'firehose_succeed_processing_records_total'
    this.#count(success, 'SucceedProcessing.Records.', streamName, succeededCount)
    for (const [errorOutputType, failedCount] of failedCounts) {
      const name = `standpipe_${snakeCase(errorOutputType.replaceAll('-', '_'))}_records_total`
      this.#count(name, `Records that went to ${errorOutputType}.`, streamName, failedCount)
    }
  }

  sourceRead({ streamName, metric, recordCount, dataBytes }: SourceReadObservation): void {
    const name = `firehose_${snakeCase(metric)}`
    this.#count(`${name}_records_total`, `${metric}.Records.`, streamName, recordCount)
    this.#count(`${name}_bytes_total`, `${metric}.Bytes.`, streamName, dataBytes)
  }

  sourceGap(streamName: string, lostCount: number): void {
    const count = (what: string, help: string, by: number): void =>
      this.#count(`standpipe_source_${what}_total`, help, streamName, by)
    count('gaps', 'How often records of the source went before they were read.', 1)
    count('lost_records', 'Records that went so, as far as their number is known.', lostCount)
  }

  sourceFailure(streamName: string): void {
    const help = 'Attempts to read of the source that failed.'
    this.#count('standpipe_source_failures_total', help, streamName, 1)
  }

  sourceThrottled(streamName: string, operation: string): void {
    const metric = `Throttled${operation}`
    this.#count(`firehose_${snakeCase(metric)}_total`, `${metric}.`, streamName, 1)
  }

  /** All metrics in Prometheus's text form. */
  async text(): Promise<string> {
    const samples = await this.#sources.streams()
    for (const gauge of this.#byName.values()) if (gauge instanceof Gauge) gauge.reset()
    if (samples !== undefined) {
      this.#forgetStreams(new Set(samples.map(({ streamName }) => streamName)))
      for (const sample of samples) this.#sampleStream(sample)
    }
    this.#sampleStore(this.#sources.store())
    return this.#registry.metrics()
  }

  #sampleStream(sample: StreamSample): void {
    const { streamName, metric, books, dataFreshnessMs } = sample
    this.#streamNames.add(streamName)
    const set = (name: string, help: string, value: number, labels: object = {}): void =>
      this.#gauge(name, help, Object.keys(labels)).set({ ...labels, [STREAM]: streamName }, value)
    for (const [state, count] of Object.entries(books)) {
      set('standpipe_records', 'The books, over the whole life of the stream.', count, { state })
    }
    set('standpipe_pending_records', 'Accepted, not yet accounted for.', sample.pendingRecordCount)
    set('standpipe_backlog_bytes', 'Undelivered bytes, as they were sent.', sample.backlogBytes)
    set('standpipe_parked_batches', 'Batches beyond their retention.', sample.parkedBatchCount)
    set('standpipe_stream_state', 'Always 1; the label says it.', 1, { state: sample.state })
    if (sample.source !== undefined) this.#sampleSource(streamName, sample.source)
    if (dataFreshnessMs === undefined) return
    const name = `firehose_${snakeCase(metric)}_data_freshness_seconds`
    set(name, `${metric}.DataFreshness: age of the oldest record.`, dataFreshnessMs / 1000)
  }

  #sampleSource(streamName: string, { state, behind, partitions }: SourceSample): void {
    const set = (name: string, help: string, value: number | undefined, labels: object): void => {
      if (value === undefined) return
      this.#gauge(name, help, Object.keys(labels)).set({ ...labels, [STREAM]: streamName }, value)
    }
    set('standpipe_source_state', 'Always 1; the label says it.', 1, { state })
    if (behind !== undefined) {
      const { metric, value } = behind
      set(`firehose_${snakeCase(metric)}`, `${metric}, the greatest of all partitions.`, value, {})
    }
    for (const { partition, behindLatestMs, lagCount } of partitions) {
      const name = 'standpipe_source_partition'
      const seconds = behindLatestMs === undefined ? undefined : behindLatestMs / 1000
      const help = 'How far the last record read is behind the latest.'
      set(`${name}_behind_latest_seconds`, help, seconds, { partition })
      set(`${name}_lag_records`, 'Records that are still to be read.', lagCount, { partition })
    }
  }

  #sampleStore(store: StoreSample): void {
    const set = (what: string, help: string, value: number): void =>
      this.#gauge(`standpipe_store_${what}`, help, []).set(value)
    set('bytes', 'Bytes that undelivered batches occupy.', store.storedBytes)
    set('quota_bytes', 'Where puts begin to be refused.', store.quotaBytes)
    set('batches', 'Batches that are not delivered.', store.batchCount)
    set('quarantined_chunks', 'Damaged chunks set aside.', store.quarantinedChunkCount)
    set('accepting', '1 while puts are taken, 0 while there is no room.', store.accepting ? 1 : 0)
  }

  #count(name: string, help: string, streamName: string, by: number): void {
    let counter = this.#byName.get(name)
    if (counter === undefined) {
      counter = new Counter({ name, help, labelNames: [STREAM], registers: [this.#registry] })
      this.#byName.set(name, counter)
    }
    this.#streamNames.add(streamName)
    counter.inc({ [STREAM]: streamName }, by)
  }

  #gauge(name: string, help: string, extraLabels: readonly string[]): Gauge {
    const known = this.#byName.get(name)
    if (known instanceof Gauge) return known
    const labelNames = [STREAM, ...extraLabels]
    const gauge = new Gauge({ name, help, labelNames, registers: [this.#registry] })
    this.#byName.set(name, gauge)
    return gauge
  }

  /** Gauges are filled anew at each scrape; counters have only the stream's label. */
  #forgetStreams(live: ReadonlySet<string>): void {
    for (const streamName of this.#streamNames) {
      if (live.has(streamName)) continue
      this.#streamNames.delete(streamName)
      for (const metric of this.#byName.values()) {
        if (metric instanceof Counter) metric.remove({ [STREAM]: streamName })
      }
    }
  }
}

/** `DeliveryToS3` becomes `delivery_to_s3`. */
function snakeCase(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, '_$&').toLowerCase()
}
