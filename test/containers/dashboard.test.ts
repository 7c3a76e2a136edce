/** The dashboard, and what Prometheus is told to look at for it. */
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { PrometheusMetrics } from '../../src/base/prometheus-metrics.ts'
import { read } from './programs.ts'

const dashboard = await read('deploy/grafana/standpipe.json')

interface Panel {
  readonly targets?: readonly { readonly expr: string }[]
}
const { panels } = JSON.parse(dashboard) as { panels: readonly Panel[] }
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

test('the dashboard asks for metrics that there are', async () => {
  const asked = new Set(
    expressions.join('\n').match(/\b(?:firehose|standpipe|process|nodejs)_[\w.+]+/g),
  )
  const names = await metricNames()
  const unknown = [...asked].filter(
    (name) => !names.some((one) => new RegExp(`^${name}$`).test(one)),
  )
  expect(unknown).toEqual([])
  expect(asked.size).toBeGreaterThan(10)
})

test('each panel asks for one service, of those that Prometheus knows by their job', async () => {
  expect(expressions.filter((expression) => !expression.includes('job="$job"'))).toEqual([])
  const { scrape_configs: jobs } = parse(await read('deploy/prometheus.yml')) as {
    scrape_configs: readonly { job_name: string }[]
  }
  expect(jobs.map(({ job_name: name }) => name)).toEqual(['standpipe', 'standpipe-on-redis'])
})

test('what every node reports of a whole stream is not summed up over the nodes', () => {
  const ofAll =
    /(?:standpipe_(?:records|pending_|backlog_|parked_|stream_state|store_)|_freshness_)/
  const told = expressions.filter((expression) => ofAll.test(expression))
  expect(told.length).toBeGreaterThan(10)
  expect(told.filter((one) => !/^(?:(?:sum|count)\()?(?:max|min)[ (]/.test(one))).toEqual([])
})

/** All names, suffixes of histograms included. */
async function metricNames(): Promise<readonly string[]> {
  const books = { accepted: 1, made: 0, delivered: 1, dropped: 0, errored: 0, quarantined: 0 }
  const sample = {
    streamName: 'logs',
    metric: 'DeliveryToS3',
    books,
    pendingRecordCount: 0,
    backlogBytes: 0,
    parkedBatchCount: 0,
    dataFreshnessMs: 1,
    state: 'running',
    source: {
      state: 'reading',
      partitions: [{ partition: '0', behindLatestMs: 1, lagCount: 1 }],
    },
  }
  const store = {
    storedBytes: 0,
    quotaBytes: 1,
    batchCount: 0,
    quarantinedChunkCount: 0,
    accepting: true,
  }
  const metrics = new PrometheusMetrics({
    streams: () => Promise.resolve([sample]),
    store: () => store,
  })
  const counts = { streamName: 'logs', recordCount: 1, dataBytes: 1 }
  metrics.put({ ...counts, operation: 'PutRecord', throttledCount: 0, latencyMs: 1 })
  metrics.delivery({ ...counts, metric: 'DeliveryToS3', success: true, objectCount: 1 })
  metrics.sourceRead({ ...counts, metric: 'DataReadFromSource' })
  metrics.sourceFailure('logs')
  metrics.operation('CreateDeliveryStream', 1, 'LimitExceededException')
  const lines = (await metrics.text()).split('\n').filter((line) => !line.startsWith('#'))
  return lines.flatMap((line) => /^\w+/.exec(line) ?? [])
}
