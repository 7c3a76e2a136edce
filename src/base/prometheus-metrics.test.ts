import { expect, test } from 'vitest'
import { PrometheusMetrics } from './prometheus-metrics.ts'
import type { StreamSample } from './prometheus-metrics.ts'

function sampleOf(streamName: string): StreamSample {
  return {
    streamName,
    metric: 'DeliveryToS3',
    books: { accepted: 9, made: 1, delivered: 6, dropped: 1, errored: 0, quarantined: 0 },
    pendingRecordCount: 3,
    backlogBytes: 300,
    parkedBatchCount: 0,
    dataFreshnessMs: 1500,
    state: 'running',
  }
}

function metricsOf(samples: StreamSample[]): PrometheusMetrics {
  const store = {
    storedBytes: 400,
    quotaBytes: 1000,
    batchCount: 2,
    quarantinedChunkCount: 0,
    accepting: true,
  }
  return new PrometheusMetrics({ streams: () => Promise.resolve(samples), store: () => store })
}

async function ownLines(metrics: PrometheusMetrics): Promise<string[]> {
  const lines = (await metrics.text()).split('\n')
  return lines.filter((line) => /^(firehose|standpipe)_/.test(line) && !line.includes('_bucket'))
}

const put = {
  operation: 'PutRecordBatch',
  recordCount: 500,
  dataBytes: 5000,
  throttledCount: 0,
  latencyMs: 4,
} as const
const delivery = { metric: 'DeliveryToS3', recordCount: 6, dataBytes: 60, objectCount: 1 } as const

test('puts, deliveries and what is the case are told under names of Firehose', async () => {
  const metrics = metricsOf([sampleOf('logs')])
  metrics.put({ ...put, streamName: 'logs' })
  metrics.put({ ...put, recordCount: 2, throttledCount: 2, streamName: 'logs' })
  metrics.delivery({ ...delivery, streamName: 'logs', success: true })
  metrics.operation('CreateDeliveryStream', 10, 'LimitExceededException')
  const lines = await ownLines(metrics)
  expect(lines.toSorted()).toEqual(
    [
      'firehose_incoming_put_requests_total{delivery_stream="logs"} 1',
      'firehose_incoming_records_total{delivery_stream="logs"} 500',
      'firehose_incoming_bytes_total{delivery_stream="logs"} 5000',
      'firehose_throttled_records_total{delivery_stream="logs"} 2',
      'firehose_request_latency_seconds_sum{operation="PutRecordBatch"} 0.008',
      'firehose_request_latency_seconds_count{operation="PutRecordBatch"} 2',
      'firehose_request_latency_seconds_sum{operation="CreateDeliveryStream"} 0.01',
      'firehose_request_latency_seconds_count{operation="CreateDeliveryStream"} 1',
      'firehose_request_errors_total{operation="CreateDeliveryStream",error_type="LimitExceededException"} 1',
      'firehose_delivery_to_s3_success_total{delivery_stream="logs"} 1',
      'firehose_delivery_to_s3_failures_total{delivery_stream="logs"} 0',
      'firehose_delivery_to_s3_records_total{delivery_stream="logs"} 6',
      'firehose_delivery_to_s3_bytes_total{delivery_stream="logs"} 60',
      'firehose_delivery_to_s3_object_count_total{delivery_stream="logs"} 1',
      'firehose_delivery_to_s3_data_freshness_seconds{delivery_stream="logs"} 1.5',
      'standpipe_records{state="accepted",delivery_stream="logs"} 9',
      'standpipe_records{state="made",delivery_stream="logs"} 1',
      'standpipe_records{state="delivered",delivery_stream="logs"} 6',
      'standpipe_records{state="dropped",delivery_stream="logs"} 1',
      'standpipe_records{state="errored",delivery_stream="logs"} 0',
      'standpipe_records{state="quarantined",delivery_stream="logs"} 0',
      'standpipe_pending_records{delivery_stream="logs"} 3',
      'standpipe_backlog_bytes{delivery_stream="logs"} 300',
      'standpipe_parked_batches{delivery_stream="logs"} 0',
      'standpipe_stream_state{state="running",delivery_stream="logs"} 1',
      'standpipe_store_bytes 400',
      'standpipe_store_quota_bytes 1000',
      'standpipe_store_batches 2',
      'standpipe_store_quarantined_chunks 0',
      'standpipe_store_accepting 1',
    ].toSorted(),
  )
})

test('what processors do is told by calls and by records', async () => {
  const failedCounts = new Map([['format-conversion-failed', 2]])
  const metrics = metricsOf([sampleOf('logs')])
  metrics.execution({ streamName: 'logs', success: true, durationMs: 1_500 })
  metrics.execution({ streamName: 'logs', success: false, durationMs: 500 })
  metrics.processing({ streamName: 'logs', succeededCount: 7, failedCounts })
  expect(await ownLines(metrics)).toEqual(
    expect.arrayContaining([
      'firehose_execute_processing_success_total{delivery_stream="logs"} 1',
      'firehose_execute_processing_failures_total{delivery_stream="logs"} 1',
      'firehose_execute_processing_duration_seconds_total{delivery_stream="logs"} 2',
      'firehose_succeed_processing_records_total{delivery_stream="logs"} 7',
      'standpipe_format_conversion_failed_records_total{delivery_stream="logs"} 2',
    ]),
  )
})

test('a stream that is gone takes its series with it', async () => {
  const samples = [sampleOf('logs'), sampleOf('gone')]
  const metrics = metricsOf(samples)
  metrics.put({ ...put, streamName: 'gone' })
  metrics.delivery({ ...delivery, streamName: 'gone', success: false })
  expect((await ownLines(metrics)).join('\n')).toContain('delivery_stream="gone"')
  samples.pop()
  const text = (await ownLines(metrics)).join('\n')
  expect(text).not.toContain('delivery_stream="gone"')
  expect(text).toContain('delivery_stream="logs"')
})

test('a stream with nothing to deliver has no freshness, and a changed state leaves no trace', async () => {
  const samples = [sampleOf('logs')]
  const metrics = metricsOf(samples)
  await metrics.text()
  samples[0] = { ...sampleOf('logs'), dataFreshnessMs: undefined, state: 'paused' }
  const text = (await ownLines(metrics)).join('\n')
  expect(text).not.toContain('data_freshness')
  expect(text).toContain('standpipe_stream_state{state="paused",delivery_stream="logs"} 1')
  expect(text).not.toContain('state="running"')
})

test('what is read of a source is told, and a partition that is read no more leaves no trace', async () => {
  const partitions = [
    { partition: 'shard-0', behindLatestMs: 1_500, lagCount: 4 },
    { partition: 'shard-1' },
  ]
  const behind = { metric: 'KinesisMillisBehindLatest', value: 1_500 }
  const samples = [{ ...sampleOf('logs'), source: { state: 'reading', behind, partitions } }]
  const metrics = metricsOf(samples)
  const read = { metric: 'DataReadFromKinesisStream', recordCount: 3, dataBytes: 30 }
  metrics.sourceRead({ ...read, streamName: 'logs' })
  metrics.sourceGap('logs', 5)
  metrics.sourceFailure('logs')
  metrics.sourceThrottled('logs', 'GetRecords')
  const lines = await ownLines(metrics)
  expect(lines.filter((line) => /source|kinesis|throttled/.test(line)).toSorted()).toEqual([
    'firehose_data_read_from_kinesis_stream_bytes_total{delivery_stream="logs"} 30',
    'firehose_data_read_from_kinesis_stream_records_total{delivery_stream="logs"} 3',
    'firehose_kinesis_millis_behind_latest{delivery_stream="logs"} 1500',
    'firehose_throttled_get_records_total{delivery_stream="logs"} 1',
    'standpipe_source_failures_total{delivery_stream="logs"} 1',
    'standpipe_source_gaps_total{delivery_stream="logs"} 1',
    'standpipe_source_lost_records_total{delivery_stream="logs"} 5',
    'standpipe_source_partition_behind_latest_seconds{partition="shard-0",delivery_stream="logs"} 1.5',
    'standpipe_source_partition_lag_records{partition="shard-0",delivery_stream="logs"} 4',
    'standpipe_source_state{state="reading",delivery_stream="logs"} 1',
  ])
  partitions.shift()
  expect((await ownLines(metrics)).join('\n')).not.toContain('shard-0')
})
