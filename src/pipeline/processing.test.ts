import { expect, test, vi } from 'vitest'
import { systemClock } from '../base/clock.ts'
import type { SealedBatch } from '../batch.ts'
import type { JsonObject } from '../base/json.ts'
import { chunkOf, recordsOf, withMetadata } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Functions, TransformationEvent, TransformationRecord } from '../functions.ts'
import type { Manifest } from '../manifest.ts'
import type { PartitionRules } from '../partition.ts'
import type { ProcessorTools } from '../processors/index.ts'
import { RecordSet } from '../record-set.ts'
import { StagingDamaged } from '../staging.ts'
import { HeldBatch } from './held-batch.ts'
import type { BatchSource } from './processed-batch.ts'
import { Processing } from './processing.ts'

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:f'
const STREAM = {
  streamId: 'S1',
  arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
  versionId: 1,
  destination: {
    ProcessingConfiguration: {
      Enabled: true,
      Processors: [
        {
          Type: 'Lambda',
          Parameters: [
            { ParameterName: 'LambdaArn', ParameterValue: ARN },
            { ParameterName: 'NumberOfRetries', ParameterValue: '0' },
            { ParameterName: 'BufferSizeInMBs', ParameterValue: '1' },
          ],
        },
      ],
    },
  },
} as unknown as DeliveryStream
const FROZEN = { outputs: [] } as unknown as Manifest

type Answer = { result: string; data?: string; metadata?: object }

/** A batch of records in chunks of two, under a stream whose function answers for each text. */
class Bench {
  readonly batch: SealedBatch
  readonly held: HeldBatch
  invocations = 0
  /** Of all invocations. */
  readonly invoked: TransformationRecord[] = []
  /** What the function does instead of answering. */
  fails: (() => never) | undefined
  readonly #answer: (text: string) => Answer

  constructor(
    texts: readonly string[],
    answer: (text: string) => Answer,
    tell?: (text: string) => JsonObject,
  ) {
    this.#answer = answer
    const chunks = []
    for (let first = 0; first < texts.length; first += 2) {
      const records = texts.slice(first, first + 2).map((text) => Buffer.from(text))
      const plain = chunkOf(records, 1_000 + first)
      const told = records.map((record) => tell?.(record.toString()) ?? {})
      const chunk = tell === undefined ? plain : withMetadata(plain, told)
      chunks.push({ ...chunk, firstOrdinal: first })
    }
    this.held = new HeldBatch(chunks)
    this.batch = {
      batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      streamId: 'S1',
      recordCount: texts.length,
      dataBytes: 0,
      storedBytes: 0,
      firstArrivalMs: 1_000,
      lastArrivalMs: 2_000,
      sealedAtMs: 2_000,
      sealReason: 'size',
    }
  }

  source(
    options: { stream?: DeliveryStream; frozen?: Manifest; partitions?: PartitionRules } = {},
  ): Promise<BatchSource> {
    const functions: Functions = {
      find: () => Promise.resolve('a test'),
      lease: () =>
        Promise.resolve({ invoke: async (event) => this.#invoke(event), release: () => {} }),
      close: () => Promise.resolve(),
    }
    const tools = { functions, clock: systemClock, partitionsMax: 100 }
    const processing = new Processing(this.held, tools as Partial<ProcessorTools> as ProcessorTools)
    return processing.source({
      batch: this.batch,
      stream: options.stream ?? STREAM,
      partitions: options.partitions,
      frozen: options.frozen,
      signal: new AbortController().signal,
      observe: () => {},
    })
  }

  #invoke({ records }: TransformationEvent) {
    this.invocations += 1
    this.invoked.push(...(JSON.parse(JSON.stringify(records)) as TransformationRecord[]))
    this.fails?.()
    const answers = records.map(({ recordId, data }) => {
      const { data: text = '', ...answer } = this.#answer(Buffer.from(data, 'base64').toString())
      return { recordId, ...answer, data: Buffer.from(text).toString('base64') }
    })
    return { value: { records: answers }, sizeBytes: 0 }
  }
}

const upper = (text: string): Answer => ({ result: 'Ok', data: text.toUpperCase() })

/** A function that wants no `drop`, and fails for `bad`. */
function choosy(text: string): Answer {
  if (text === 'drop') return { result: 'Dropped' }
  return text === 'bad' ? { result: 'ProcessingFailed' } : upper(text)
}

async function textsOf(source: BatchSource, range?: { from: number; to: number }) {
  const found: [number, string, number][] = []
  for await (const chunk of source.read(range)) {
    let ordinal = chunk.firstOrdinal
    for (const data of recordsOf(chunk)) found.push([ordinal++, data.toString(), chunk.arrivalMs])
  }
  return found
}

async function errorsOf({ processing }: BatchSource) {
  const found: unknown[] = []
  for (const { errorOutputType, lines } of processing?.errors ?? []) {
    for await (const piece of lines()) {
      for (const line of piece.toString().trim().split('\n')) {
        const { rawData, errorCode } = JSON.parse(line) as Record<string, string>
        found.push([errorOutputType, Buffer.from(rawData ?? '', 'base64').toString(), errorCode])
      }
    }
  }
  return found
}

const setOf = (text = ''): number[] => [...RecordSet.parse(text)]

test('a stream without processors has its batches as they were accepted', async () => {
  const bench = new Bench(['a', 'b'], upper)
  const source = await bench.source({ stream: { ...STREAM, destination: {} } })
  expect(source.batch).toBe(bench.batch)
  expect(source.processing).toBeUndefined()
  expect(await textsOf(source)).toEqual([
    [0, 'a', 1_000],
    [1, 'b', 1_000],
  ])
})

test('records keep their ordinals, also where others between them are gone', async () => {
  const bench = new Bench(['a', 'drop', 'bad', 'b', 'drop', 'c'], choosy)
  const source = await bench.source()
  expect(await textsOf(source)).toEqual([
    [0, 'A', 1_000],
    [3, 'B', 1_002],
    [5, 'C', 1_004],
  ])
  expect(await textsOf(source, { from: 1, to: 5 })).toEqual([[3, 'B', 1_002]])
  expect(source.batch).toMatchObject({ recordCount: 3, ordinalEnd: 6, dataBytes: 3 })
  expect(await errorsOf(source)).toEqual([
    ['processing-failed', 'bad', 'Lambda.ProcessingFailedStatus'],
  ])
  const { droppedCount, failedCount, madeCount, summary, absent } = source.processing ?? {}
  expect({ droppedCount, failedCount, madeCount }).toEqual({
    droppedCount: 2,
    failedCount: 1,
    madeCount: 0,
  })
  expect(summary?.order).toBe('kept')
  expect([setOf(summary?.dropped), setOf(summary?.failed)]).toEqual([[1, 4], [2]])
  expect([...(absent ?? [])]).toEqual([1, 2, 4])
})

test('a function is told what the source told of a record, also of the parts that became of it', async () => {
  const processors = [
    {
      Type: 'RecordDeAggregation',
      Parameters: [{ ParameterName: 'SubRecordType', ParameterValue: 'JSON' }],
    },
    ...(STREAM.destination['ProcessingConfiguration'] as { Processors: object[] }).Processors,
  ]
  const ProcessingConfiguration = { Enabled: true, Processors: processors }
  const stream = { ...STREAM, destination: { ...STREAM.destination, ProcessingConfiguration } }
  const tell = (text: string): JsonObject => ({ kinesisRecordMetadata: { partitionKey: text } })
  const bench = new Bench(['{"a":1}{"b":2}', '{}', '{"c":3}'], upper, tell)
  const source = await bench.source({ stream: stream as unknown as DeliveryStream })
  expect(
    bench.invoked.map((record) => [Buffer.from(record.data, 'base64').toString(), record]),
  ).toMatchObject([
    ['{"a":1}', tell('{"a":1}{"b":2}')],
    ['{"b":2}', tell('{"a":1}{"b":2}')],
    ['{}', tell('{}')],
    ['{"c":3}', tell('{"c":3}')],
  ])
  // What is delivered is data alone.
  expect((await textsOf(source)).map(([, text]) => text)).toEqual([
    '{"A":1}',
    '{"B":2}',
    '{}',
    '{"C":3}',
  ])
})

test('what was staged is found again, and no function is called a second time', async () => {
  const bench = new Bench(['a', 'b'], upper)
  await bench.source()
  const again = await bench.source({ frozen: FROZEN })
  expect(await textsOf(again)).toEqual([
    [0, 'A', 1_000],
    [1, 'B', 1_000],
  ])
  expect(bench.invocations).toBe(1)
})

test('under another version of the stream processors run again', async () => {
  const bench = new Bench(['a'], upper)
  await bench.source()
  await bench.source({ stream: { ...STREAM, versionId: 2 } })
  expect(bench.invocations).toBe(2)
})

test('names that are fixed by what is gone are not guessed at', async () => {
  const bench = new Bench(['a'], upper)
  await expect(bench.source({ frozen: FROZEN })).rejects.toThrow(StagingDamaged)
  expect(bench.invocations).toBe(0)
})

test('what is staged of another version than the names is not taken for theirs', async () => {
  const bench = new Bench(['a'], upper)
  await bench.source()
  const stream = { ...STREAM, versionId: 2 }
  await expect(bench.source({ stream, frozen: FROZEN })).rejects.toThrow(StagingDamaged)
  expect(bench.invocations).toBe(1)
})

test('a stage that throws leaves nothing behind, and the next claim tries again', async () => {
  const bench = new Bench(['a'], upper)
  const stage = vi.spyOn(bench.held, 'stage').mockImplementation(async () => ({
    write: () => Promise.reject(new Error('no space')),
    finish: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  }))
  await expect(bench.source()).rejects.toThrow('no space')
  expect(await bench.held.staged()).toBeUndefined()
  stage.mockRestore()
  expect(await textsOf(await bench.source())).toEqual([[0, 'A', 1_000]])
})

test('partitions are one after the other, each in its order, and numbered anew', async () => {
  const bench = new Bench(['x1', 'y1', 'x2', 'bad', 'y2', 'x3'], (text) => ({
    ...choosy(text),
    metadata: { partitionKeys: { key: text.slice(0, 1) } },
  }))
  const partitions = { queryKeys: [], lambdaKeys: ['key'] }
  const stream = {
    ...STREAM,
    destination: {
      ...STREAM.destination,
      DynamicPartitioningConfiguration: { Enabled: true },
    },
  }
  const source = await bench.source({ partitions, stream })
  expect(await textsOf(source)).toEqual([
    [0, 'X1', 1_000],
    [1, 'X2', 1_002],
    [2, 'X3', 1_004],
    [3, 'Y1', 1_000],
    [4, 'Y2', 1_004],
  ])
  expect(await textsOf(source, { from: 3, to: 4 })).toEqual([[3, 'Y1', 1_000]])
  const found = source.processing?.forEncoding().partitions
  const shown = found?.map(({ keys, range, dataBytes, firstArrivalMs }) => ({
    keys: [...keys.lambda],
    range,
    dataBytes,
    firstArrivalMs,
  }))
  expect(shown).toEqual([
    { keys: [['key', 'x']], range: { from: 0, to: 3 }, dataBytes: 6, firstArrivalMs: 1_000 },
    { keys: [['key', 'y']], range: { from: 3, to: 5 }, dataBytes: 4, firstArrivalMs: 1_000 },
  ])
  expect(source.batch).toMatchObject({ recordCount: 5, ordinalEnd: 5 })
  expect(source.processing?.summary.order).toBe('lost')
  expect(setOf(source.processing?.summary.failed)).toEqual([3])
})

test('a batch of which nothing is left is no error', async () => {
  const source = await new Bench(['drop', 'drop'], choosy).source()
  expect(await textsOf(source)).toEqual([])
  expect(source.batch.recordCount).toBe(0)
})
