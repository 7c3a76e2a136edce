import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import type { ProcessingJob, ProcessingRecord, Processor, Records } from '../../processor.ts'
import { runProcessor } from '../../../test/fakes/processing.ts'
import { JqEngine } from './jq-engine.ts'
import { metadataExtraction } from './metadata-extraction.ts'
import { partitioning } from './partitioning.ts'

const NOW_MS = 1_763_000_000_000
const clock = { ...systemClock, nowMs: () => NOW_MS }
const jq = new JqEngine({ clock, logger: silentLogger, timeoutMs: 60_000 })
const hasty = new JqEngine({ clock, logger: silentLogger, timeoutMs: 2000 })
afterAll(async () => {
  await jq.close()
  await hasty.close()
})

/** The same query, as it is evaluated without jq and by it. */
const WAYS = [
  ['by paths', '{a: .x, b: .y.z}'],
  ['by jq', '{a: (.x), b: .y.z}'],
] as const

describe.each(WAYS)('%s', (_, query) => {
  test('the members of the object become partition keys, as text', async () => {
    const { out, failed } = await runProcessor(metadataExtraction({ query, jq, clock }), [
      '{"x":"eu","y":{"z":7}}',
      '{"x":true,"y":{"z":1.50}}',
      '{"x":1e17,"y":{"z":-0.00001}}',
      '{"x":12345678901234567890,"y":{"z":1e1000}}',
      '{"x":"a/b\\u0000","y":{"z":false}}',
    ])
    expect(failed).toEqual([])
    expect(out.map(({ keys }) => [keys?.query.get('a'), keys?.query.get('b')])).toEqual([
      ['eu', '7'],
      ['true', '1.5'],
      ['1e+17', '-1e-05'],
      ['12345678901234567000', '1.7976931348623157e+308'],
      ['a/b\0', 'false'],
    ])
    expect(out.map(({ keys }) => keys?.query.size)).toEqual([2, 2, 2, 2, 2])
  })

  test('each record that has none fails alone', async () => {
    const records = {
      '{"x":1,"y":{"z":2}}': undefined,
      '{"x":1}': 'partitionKeys values must not be null or empty: b',
      '{"x":"","y":{"z":2}}': 'partitionKeys values must not be null or empty: a',
      '{"x":null,"y":{"z":2}}': 'partitionKeys values must not be null or empty: a',
      '{"x":[1],"y":{"z":2}}': 'partitionKeys values must be strings, numbers or booleans: a',
      '{"x":1,"y":{"z":{}}}': 'partitionKeys values must be strings, numbers or booleans: b',
      '{"x":1,"y":2}': 'Cannot index number with string "z"',
      '[]': 'Cannot index array with string "x"',
      'plain text': 'Non JSON record provided',
      '': 'Non JSON record provided',
      '{"x":1,"y":{"z":2}}{"x":1,"y":{"z":2}}': 'Non JSON record provided',
      '{"x":2,"y":{"z":2}}': undefined,
    }
    const texts = Object.keys(records)
    const { out, failed } = await runProcessor(metadataExtraction({ query, jq, clock }), texts)
    expect(out.map(({ ordinal }) => ordinal)).toEqual([0, texts.length - 1])
    const messages = failed.map(({ record, failure }) => [record.ordinal, failure.errorMessage])
    expect(messages).toEqual([...Object.values(records).entries()].slice(1, -1))
    expect(failed[0]).toEqual({
      record: expect.objectContaining({ original: Buffer.from('{"x":1}') }),
      failure: {
        errorOutputType: 'processing-failed',
        errorCode: 'DynamicPartitioning.MetadataExtractionFailed',
        errorMessage: 'partitionKeys values must not be null or empty: b',
        attemptsMade: 1,
        atMs: NOW_MS,
      },
    })
  })

  test('all else of a record stays as it was', async () => {
    const record: ProcessingRecord = {
      ordinal: 5,
      part: 2,
      arrivalMs: NOW_MS,
      data: Buffer.from('{"x":1,"y":{"z":2}}'),
      original: Buffer.from('as it came'),
      keys: { query: new Map([['old', '1']]), lambda: new Map([['day', 'monday']]) },
    }
    const { out } = await runProcessor(metadataExtraction({ query, jq, clock }), [record])
    const found = new Map([
      ['a', '1'],
      ['b', '2'],
    ])
    expect(out).toEqual([{ ...record, keys: { query: found, lambda: record.keys?.lambda } }])
  })

  test('ten thousand keys of a batch get through with few records held', async () => {
    const records = Array.from({ length: 10_000 }, (_, index) => `{"x":"k${index}","y":{"z":1}}`)
    const ahead = new Ahead(metadataExtraction({ query, jq, clock }))
    const { out } = await runProcessor(ahead, records)
    const expected = records.map((data, index) => [data, `k${index}`])
    expect(out.map(({ data, keys }) => [data.toString(), keys?.query.get('a')])).toEqual(expected)
    expect(ahead.max).toBeLessThanOrEqual(6100)
    const rules = { queryKeys: ['a'], lambdaKeys: [] }
    const partitioned = await runProcessor(
      partitioning({ rules, partitionsMax: 10_000, clock }),
      out,
    )
    expect(new Set(partitioned.out.map(({ partition }) => partition)).size).toBe(10_000)
  })
})

test('data are held by their size, too', async () => {
  const padding = 'x'.repeat(1024 * 1024)
  const records = Array.from({ length: 20 }, (_, index) => `{"x":${index},"p":"${padding}"}`)
  const ahead = new Ahead(metadataExtraction({ query: '{a: (.x)}', jq, clock }))
  const { out } = await runProcessor(ahead, records, { groupSize: 1 })
  expect(out.map(({ keys }) => keys?.query.get('a'))).toEqual(records.map((_, index) => `${index}`))
  expect(ahead.max).toBeLessThanOrEqual(10)
})

test('what is no object has no keys', async () => {
  const results = ['.x', '[.x]', '{a: (.x, .x)}', 'empty'].map(async (query) => {
    const { failed } = await runProcessor(metadataExtraction({ query, jq, clock }), ['{"x":1}'])
    return failed.map(({ failure }) => failure.errorMessage)
  })
  expect(await Promise.all(results)).toEqual([
    ['The MetadataExtractionQuery did not make an object'],
    ['The MetadataExtractionQuery did not make an object'],
    ['The query has 2 results instead of one'],
    ['The query has 0 results instead of one'],
  ])
})

test('a record that never ends fails without its neighbours', async () => {
  const query = '{a: (if .x == 7 then until(false; .) else .x end)}'
  const records = Array.from({ length: 30 }, (_, index) => `{"x":"k${index}"}`)
  records[20] = '{"x":7}'
  const extraction = metadataExtraction({ query, jq: hasty, clock })
  const { out, failed } = await runProcessor(extraction, records)
  expect(out.length).toBe(29)
  expect(failed.map(({ record, failure }) => [record.ordinal, failure.errorMessage])).toEqual([
    [20, 'jq was stopped: it took more than 2000 ms'],
  ])
})

test('a process that ends gives up what is under way', async () => {
  const ending = new AbortController()
  const extraction = metadataExtraction({ query: '{a: until(false; .)}', jq, clock })
  const running = runProcessor(extraction, ['1'], { signal: ending.signal })
  ending.abort(new Error('The process ends'))
  await expect(running).rejects.toThrow('The process ends')
})

/** Counts by how many records a processor is ahead of what it has given out. */
class Ahead implements Processor {
  max = 0
  readonly #processor: Processor
  #taken = 0
  #given = 0

  constructor(processor: Processor) {
    this.#processor = processor
  }

  async *process(records: Records, job: ProcessingJob): Records {
    for await (const group of this.#processor.process(this.#counted(records), job)) {
      this.#given += group.length
      yield group
    }
  }

  async *#counted(records: Records): Records {
    for await (const group of records) {
      this.#taken += group.length
      this.max = Math.max(this.max, this.#taken - this.#given)
      yield group
    }
  }
}
