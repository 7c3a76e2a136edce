import { expect, test } from 'vitest'
import type { ProcessingRecord, Processor } from '../../src/processor.ts'
import { runProcessor } from './processing.ts'

const FAILURE = {
  errorOutputType: 'processing-failed',
  errorCode: 'Test',
  errorMessage: 'test',
  attemptsMade: 1,
  atMs: 0,
} as const

test('what a processor does with each record is kept, in memory of its own', async () => {
  const processor: Processor = {
    async *process(records, job) {
      for await (const group of records) {
        const [first, second, third] = group
        if (second !== undefined) job.drop(second)
        if (third !== undefined) job.fail(third, FAILURE)
        if (first === undefined) continue
        job.made(1)
        yield [first, { ...first, part: 1 }]
      }
      job.setTableSchema({ columns: [] })
    },
  }
  const run = await runProcessor(processor, ['a', 'b', Buffer.from('c'), 'd'], { groupSize: 3 })
  expect({
    ...run,
    out: run.out.map(({ data, ...record }) => ({ ...record, data: String(data), original: '' })),
    failed: run.failed.map(({ record }) => String(record.original)),
  }).toEqual({
    out: [
      { ordinal: 0, arrivalMs: 1_700_000_000_000, data: 'a', original: '' },
      { ordinal: 0, part: 1, arrivalMs: 1_700_000_000_000, data: 'a', original: '' },
      { ordinal: 3, arrivalMs: 1_700_000_000_003, data: 'd', original: '' },
      { ordinal: 3, part: 1, arrivalMs: 1_700_000_000_003, data: 'd', original: '' },
    ],
    failed: ['c'],
    dropped: [1],
    made: 2,
    tableSchema: { columns: [] },
    executions: [],
  })
})

test('a processor that keeps memory of its groups gives poison', async () => {
  const hoarder: Processor = {
    async *process(records) {
      const kept: ProcessingRecord[] = []
      for await (const group of records) kept.push(...group)
      yield kept
    },
  }
  const { out } = await runProcessor(hoarder, ['one', 'two'], { groupSize: 1 })
  expect(out.map(({ data, original }) => [...data, ...original])).toEqual([
    Array(6).fill(0xaa),
    Array(6).fill(0xaa),
  ])
})

test('a processor that loses a record is found out', async () => {
  const loser: Processor = {
    async *process(records) {
      for await (const group of records) yield group.slice(1)
    },
  }
  await expect(runProcessor(loser, ['a', 'b'])).rejects.toThrow('2 !== 1')
})
