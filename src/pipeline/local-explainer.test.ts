import { strict as assert } from 'node:assert'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { capitals, eachRecord, ScriptedFunctions } from '../../test/fakes/scripted-functions.ts'
import type { Script } from '../../test/fakes/scripted-functions.ts'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { recordsOf } from '../chunk.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { DeliveryError } from '../destination.ts'
import type {
  BatchRecord,
  Destination,
  EncodeJob,
  EncodedOutput,
  ExplainJob,
  ExplainedRecords,
  OpenedSpool,
  OutputContent,
} from '../destination.ts'
import type { ErrorOutput } from '../error-output.ts'
import type { Explanation } from '../explanation.ts'
import type { Functions } from '../functions.ts'
import type { ProcessorTools } from '../processors/index.ts'
import { LocalExplainer } from './local-explainer.ts'

const LAMBDA = processor('Lambda', {
  LambdaArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
  NumberOfRetries: '0',
  BufferSizeInMBs: '1',
})
const SPLIT = processor('RecordDeAggregation', { SubRecordType: 'JSON' })

function processor(Type: string, parameters: Readonly<Record<string, string>>) {
  const entries = Object.entries(parameters)
  const Parameters = entries.map(([ParameterName, ParameterValue]) => {
    return { ParameterName, ParameterValue }
  })
  return { Type, Parameters }
}

/** All records between brackets, as one output or, if it is told so, as one for each. */
class Bracketing implements Destination {
  deliveries = 0
  readonly #outputs: 'one' | 'each'

  constructor(outputs: 'one' | 'each') {
    this.#outputs = outputs
  }

  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    const records: { ordinal: number; text: string }[] = []
    for await (const chunk of job.chunks) {
      let ordinal = chunk.firstOrdinal
      for (const data of recordsOf(chunk)) records.push({ ordinal: ordinal++, text: String(data) })
    }
    if (records.length === 0) return []
    const groups = this.#outputs === 'one' ? [records] : records.map((record) => [record])
    return Promise.all(
      groups.map(async (group, index): Promise<EncodedOutput> => {
        const spool = job.openSpool()
        await spool.write(Buffer.from(group.map((record) => `<${record.text}>`).join('')))
        const from = group[0]?.ordinal ?? 0
        return {
          kind: 'brackets',
          target: { place: index },
          accounting: 'delivered',
          recordCount: group.length,
          range: { from, to: from + group.length },
          content: await spool.finish(),
        }
      }),
    )
  }

  /** Takes what has an `a` in it. */
  async explain(job: ExplainJob): Promise<ExplainedRecords> {
    const records: BatchRecord[] = []
    for await (const group of job.records()) records.push(...group)
    const failure = { retryable: false, effect: 'none' } as const
    return {
      items: records
        .filter(({ data }) => data.includes('a'))
        .map(({ ordinal, data }) => ({ ordinal, item: { text: data.toString() } })),
      refused: records
        .filter(({ data }) => !data.includes('a'))
        .map(({ ordinal }) => ({ ordinal, errorCode: '400', errorMessage: 'no a', ...failure })),
    }
  }

  async deliver(): Promise<never> {
    this.deliveries += 1
    throw new Error('nothing is delivered here')
  }

  async close(): Promise<void> {}
}

class Bench {
  readonly destination: Bracketing
  readonly functions: Functions
  readonly explainer: LocalExplainer
  openSpools = 0
  readonly #processors: readonly object[]

  constructor(
    processors: readonly object[],
    given: {
      readonly script?: Script
      readonly outputs?: 'one' | 'each'
      readonly clock?: Clock
    } = {},
  ) {
    this.#processors = processors
    this.destination = new Bracketing(given.outputs ?? 'one')
    this.functions = new ScriptedFunctions(given.script ?? eachRecord(capitals))
    const { clock = systemClock } = given
    const tools: Partial<ProcessorTools> = { functions: this.functions, clock }
    const errorOutput: Partial<ErrorOutput> = {
      encodeProcessingErrors: async (job) => {
        const spool = job.openSpool()
        await spool.write(Buffer.from(await text(job.lines)))
        return {
          kind: job.errorOutputType,
          target: 'errors',
          accounting: 'errored',
          recordCount: job.recordCount,
          content: await spool.finish(),
        }
      },
    }
    this.explainer = new LocalExplainer({
      destinations: new Map([['Brackets', this.destination]]),
      errorOutput: errorOutput as ErrorOutput,
      tools: tools as ProcessorTools,
      openSpool: () => this.#openSpool(),
      clock,
    })
  }

  /** Nothing that an explanation took is left when it is there, or fails. */
  async explain(data: string): Promise<Explanation> {
    const stream = {
      streamId: 'S1',
      name: 'logs',
      arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
      versionId: 1,
      destinationType: 'Brackets',
      destination: { ProcessingConfiguration: { Enabled: true, Processors: this.#processors } },
    }
    try {
      return await this.explainer.explain(
        stream as Partial<DeliveryStream> as DeliveryStream,
        Buffer.from(data),
      )
    } finally {
      assert.equal(this.openSpools, 0)
      assert.equal(this.destination.deliveries, 0)
    }
  }

  #openSpool(): OpenedSpool {
    const blocks: Buffer[] = []
    let isOpen = true
    this.openSpools += 1
    const dispose = async (): Promise<void> => {
      if (isOpen) this.openSpools -= 1
      isOpen = false
    }
    return {
      write: async (bytes) => void blocks.push(Buffer.from(bytes)),
      finish: async (): Promise<OutputContent> => {
        const whole = Buffer.concat(blocks)
        const read = (start: number, end: number) => Promise.resolve(whole.subarray(start, end))
        return { sizeBytes: whole.byteLength, sha256: '', read, dispose }
      },
      dispose,
    }
  }
}

/** With bytes as text. */
function shown({ stages, outputs }: Explanation) {
  return {
    stages: stages.map(({ records, ...stage }) => ({
      ...stage,
      records: records.map(({ data }) => data.toString()),
    })),
    outputs: outputs.map(({ content, ...output }) => ({
      ...output,
      content: content?.head?.toString(),
    })),
  }
}

function contentSaying(content: string, ordinal = 0, place = 0) {
  return {
    kind: 'brackets',
    accounting: 'delivered',
    target: { place },
    recordCount: 1,
    sizeBytes: content.length + 2,
    content: `<${content}>`,
    records: [{ ordinal, item: { text: content } }],
  }
}

test('without processors there are no stages, and the record is as it was sent', async () => {
  expect(shown(await new Bench([]).explain('abc'))).toEqual({
    stages: [],
    outputs: [contentSaying('abc')],
  })
})

test('a record goes through each stage, in the order of processing', async () => {
  const lowered = eachRecord(({ recordId, data }) => ({ recordId, result: 'Ok', data }))
  const explanation = await new Bench([LAMBDA, SPLIT], { script: lowered }).explain('{"a":1}')
  const stage = { failures: [], failedCount: 0, droppedCount: 0, recordCount: 1 }
  expect(shown(explanation)).toEqual({
    stages: [
      { name: 'RecordDeAggregation', ...stage, records: ['{"a":1}'] },
      { name: 'Lambda', ...stage, records: ['{"a":1}'] },
    ],
    outputs: [contentSaying('{"a":1}')],
  })
})

test('a record that is dropped comes to no output', async () => {
  const drop = eachRecord(({ recordId }) => ({ recordId, result: 'Dropped' }))
  expect(shown(await new Bench([LAMBDA], { script: drop }).explain('abc'))).toEqual({
    stages: [
      {
        name: 'Lambda',
        records: [],
        recordCount: 0,
        failures: [],
        failedCount: 0,
        droppedCount: 1,
      },
    ],
    outputs: [],
  })
})

test('a record that fails comes to the error output', async () => {
  const fail = eachRecord(({ recordId }) => ({ recordId, result: 'ProcessingFailed' }))
  const { stages, outputs } = await new Bench([LAMBDA], { script: fail }).explain('abc')
  expect(stages).toMatchObject([
    {
      recordCount: 0,
      failures: [{ errorCode: 'Lambda.ProcessingFailedStatus' }],
      failedCount: 1,
    },
  ])
  expect(outputs).toMatchObject([
    { kind: 'processing-failed', accounting: 'errored', target: 'errors', recordCount: 1 },
  ])
  const line = JSON.parse(outputs[0]?.content?.head?.toString() ?? '') as { rawData: string }
  expect(Buffer.from(line.rawData, 'base64').toString()).toBe('abc')
})

test('a record that is split comes to its parts, and each has its own fate', async () => {
  const { stages, outputs } = await new Bench([SPLIT]).explain('{"a":1}{"b":2}{"a":3}')
  expect(stages).toMatchObject([{ recordCount: 3 }])
  expect(outputs).toMatchObject([
    {
      recordCount: 3,
      records: [
        { ordinal: 0, item: { text: '{"a":1}' } },
        { ordinal: 1, refusal: { errorCode: '400', errorMessage: 'no a' } },
        { ordinal: 2, item: { text: '{"a":3}' } },
      ],
    },
  ])
})

test('an output tells its own records only', async () => {
  const explanation = await new Bench([SPLIT], { outputs: 'each' }).explain('{"a":1}{"a":2}')
  expect(shown(explanation).outputs).toEqual([
    contentSaying('{"a":1}', 0, 0),
    contentSaying('{"a":2}', 1, 1),
  ])
})

test('of much that becomes of a record, the first is told and the rest counted', async () => {
  const record = '{"a":1}'.repeat(500)
  const one = await new Bench([SPLIT]).explain(record)
  expect(one.stages[0]).toMatchObject({ recordCount: 500 })
  expect(one.stages[0]?.records).toHaveLength(100)
  expect(one.outputs[0]?.records).toHaveLength(100)
  const each = await new Bench([SPLIT], { outputs: 'each' }).explain(record)
  expect(each.outputCount).toBe(500)
  expect(each.outputs).toHaveLength(100)
})

test.each([
  ['takes too long', (_bench: Bench, clock: ManualClock) => clock.advance(240_000)],
  ['is under way when the process ends', (bench: Bench) => bench.explainer.stop()],
])('what %s is given up', async (_name, end) => {
  const asked = Promise.withResolvers<void>()
  const clock = new ManualClock()
  const bench = new Bench([LAMBDA], {
    clock,
    script: (_event, signal) => {
      asked.resolve()
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    },
  })
  const explanation = bench.explain('abc').catch((error: unknown) => error)
  await asked.promise
  end(bench, clock)
  expect(await explanation).toMatchObject({ name: 'DeliveryError' })
})

test('once it is stopped it explains nothing', async () => {
  const bench = new Bench([])
  bench.explainer.stop()
  await expect(bench.explain('abc')).rejects.toMatchObject({
    name: 'DeliveryError',
    message: 'Cannot process the record: the service stops',
  })
})

test('what does not answer fails the explanation', async () => {
  const down = new DeliveryError('Lambda.Down', 'It is down', { retryable: true, effect: 'none' })
  const bench = new Bench([LAMBDA])
  bench.functions.lease = () => Promise.reject(down)
  await expect(bench.explain('abc')).rejects.toBe(down)
})
