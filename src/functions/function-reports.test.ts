import { expect, test } from 'vitest'
import { LocalFunctionReports } from './function-reports.ts'

const NOW_MS = 1_780_000_000_000
const open = (): LocalFunctionReports => new LocalFunctionReports({ nowMs: () => NOW_MS })

test('executions are added up for each function and stream', () => {
  const reports = open()
  expect(reports.list()).toEqual([])
  reports.observe('logs', { name: 'b', durationMs: 3, recordCount: 10 })
  reports.observe('logs', {
    name: 'b',
    durationMs: 40.5,
    recordCount: 5,
    errorCode: 'Lambda.FunctionError',
  })
  reports.observe('logs', { name: 'b', durationMs: 4, recordCount: 5 })
  reports.observe('audit', { name: 'b', durationMs: 0.5, recordCount: 1 })
  reports.observe('logs', { name: 'a', durationMs: 300_000, recordCount: 1 })
  expect(reports.list()).toEqual([
    {
      name: 'a',
      deliveryStreamName: 'logs',
      invocationCount: 1,
      failureCount: 0,
      recordCount: 1,
      durations: { sumMs: 300_000, maxMs: 300_000, p50Ms: 300_000, p99Ms: 300_000 },
    },
    {
      name: 'b',
      deliveryStreamName: 'audit',
      invocationCount: 1,
      failureCount: 0,
      recordCount: 1,
      durations: { sumMs: 0.5, maxMs: 0.5, p50Ms: 0.5, p99Ms: 0.5 },
    },
    {
      name: 'b',
      deliveryStreamName: 'logs',
      invocationCount: 3,
      failureCount: 1,
      recordCount: 20,
      lastFailure: { errorCode: 'Lambda.FunctionError', atMs: NOW_MS },
      durations: { sumMs: 47.5, maxMs: 40.5, p50Ms: 5, p99Ms: 40.5 },
    },
  ])
})

test('of 1,000 and one the one that was called longest ago is forgotten', () => {
  const reports = open()
  const observe = (name: string): void =>
    reports.observe('logs', { name, durationMs: 1, recordCount: 1 })
  for (let index = 0; index < 1_000; index += 1) observe(`f${index}`)
  observe('f0')
  observe('one more')
  const names = reports.list().map(({ name }) => name)
  expect(names).toHaveLength(1_000)
  expect(names).toContain('f0')
  expect(names).not.toContain('f1')
})
