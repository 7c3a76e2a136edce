import { expect, test } from 'vitest'
import { recordsOf } from '../chunk.ts'
import { chunksOf } from './processed-index.ts'
import { RecordRun } from './record-run.ts'

const KIB = 1024

function add(
  run: RecordRun,
  partition: number,
  arrivalMs: number,
  data: Buffer | string,
  ordinal = 0,
): boolean {
  return run.add(partition, {
    ordinal,
    arrivalMs,
    data: Buffer.isBuffer(data) ? data : Buffer.from(data),
  })
}

/** Partition, and arrival and text of each of its records, chunk by chunk. */
function contentOf(run: RecordRun) {
  return [...run.blocks()].map(({ partition, recordCount, block }) => ({
    partition,
    recordCount,
    chunks: [...chunksOf(block)].map((chunk) => ({
      arrivalMs: chunk.arrivalMs,
      texts: Array.from(recordsOf(chunk), String),
    })),
  }))
}

test('records come out partition by partition, those that arrived together in one chunk', () => {
  const run = new RecordRun(KIB, KIB, false)
  const added = [
    [1, 10, 'a'],
    [0, 10, 'b'],
    [1, 10, ''],
    [1, 20, 'c'],
    [0, 20, 'd'],
  ] as const
  for (const [partition, arrivalMs, text] of added) {
    expect(add(run, partition, arrivalMs, text)).toBe(true)
  }
  expect(contentOf(run)).toEqual([
    {
      partition: 0,
      recordCount: 2,
      chunks: [
        { arrivalMs: 10, texts: ['b'] },
        { arrivalMs: 20, texts: ['d'] },
      ],
    },
    {
      partition: 1,
      recordCount: 3,
      chunks: [
        { arrivalMs: 10, texts: ['a', ''] },
        { arrivalMs: 20, texts: ['c'] },
      ],
    },
  ])
})

test('a full run takes no more until it is cleared, but always a lone record', () => {
  const run = new RecordRun(KIB, KIB, false)
  const large = Buffer.alloc(2 * KIB, 'x')
  expect(add(run, 0, 1, large)).toBe(true)
  expect(add(run, 0, 1, 'y')).toBe(false)
  run.clear()
  expect(add(run, 0, 1, 'y')).toBe(true)
  expect(contentOf(run)).toEqual([
    { partition: 0, recordCount: 1, chunks: [{ arrivalMs: 1, texts: ['y'] }] },
  ])
})

test('a partition larger than a block is several blocks', () => {
  const run = new RecordRun(16 * KIB * KIB, 0, false)
  const record = Buffer.alloc(3 * KIB * KIB, 'x')
  for (let count = 0; count < 3; count += 1) add(run, 0, 1, record)
  expect([...run.blocks()].map(({ recordCount }) => recordCount)).toEqual([1, 1, 1])
})

test('what was added may be overwritten', () => {
  const run = new RecordRun(KIB, KIB, false)
  const data = Buffer.from('before')
  add(run, 0, 1, data)
  data.fill('z')
  expect(contentOf(run)[0]?.chunks[0]?.texts).toEqual(['before'])
})

test('where ordinals are kept, a gap ends a chunk', () => {
  const run = new RecordRun(KIB, KIB, true)
  for (const ordinal of [3, 4, 7]) add(run, 0, 1, String(ordinal), ordinal)
  const [block] = run.blocks()
  expect(block).toMatchObject({ recordCount: 3, lastOrdinal: 7 })
  const chunks = [...chunksOf(block?.block ?? Buffer.alloc(0))]
  expect(chunks.map(({ firstOrdinal, recordCount }) => [firstOrdinal, recordCount])).toEqual([
    [3, 2],
    [7, 1],
  ])
})
