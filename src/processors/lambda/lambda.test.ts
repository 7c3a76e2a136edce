import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  ENDED_MS,
  failures,
  FUNCTION_ARN as ARN,
  quickClock,
  runLambda,
  texts,
} from '../../../test/fakes/lambda-run.ts'
import { PROCESSING_BATCH_ID as BATCH_ID, runProcessor } from '../../../test/fakes/processing.ts'
import { capitals, eachRecord, ScriptedFunctions } from '../../../test/fakes/scripted-functions.ts'
import type { Script } from '../../../test/fakes/scripted-functions.ts'
import { InvocationError } from '../../functions.ts'
import { lambda } from './lambda.ts'

const LETTERS = 'abcdefghij'.split('')

describe('the answer', () => {
  test('says which records go on, changed, which are dropped and which fail', async () => {
    const ran = await runLambda(
      eachRecord((record) => {
        const { recordId, data } = record
        if (data === 'ZHJvcA==') return { recordId, result: 'Dropped' }
        if (data === 'ZmFpbA==') return { recordId, result: 'ProcessingFailed', data: '' }
        return { ...capitals(record), metadata: { partitionKeys: { name: data } } }
      }),
      ['a', 'drop', 'fail', 'b'],
    )
    const keys = (name: string): unknown => ({
      query: new Map(),
      lambda: new Map([['name', name]]),
    })
    const record = (ordinal: number, text: string, name: string): unknown => ({
      ordinal,
      arrivalMs: 1_700_000_000_000 + ordinal,
      data: Buffer.from(text.toUpperCase()),
      original: Buffer.from(text),
      keys: keys(name),
    })
    expect(ran.out).toEqual([record(0, 'a', 'YQ=='), record(3, 'b', 'Yg==')])
    expect(ran.dropped).toEqual([1])
    expect(ran.failed).toEqual([
      {
        record: {
          ordinal: 2,
          arrivalMs: 1_700_000_000_002,
          data: Buffer.from('fail'),
          original: Buffer.from('fail'),
        },
        failure: {
          errorOutputType: 'processing-failed',
          errorCode: 'Lambda.ProcessingFailedStatus',
          errorMessage: 'ProcessingFailed status set for record',
          attemptsMade: 1,
          atMs: ENDED_MS,
          members: { lambdaARN: ARN },
        },
      },
    ])
  })

  test('leaves the original and the keys of stages before as they were', async () => {
    const keys = { query: new Map([['a', '1']]), lambda: new Map([['b', '2']]) }
    const given = {
      ordinal: 0,
      arrivalMs: 0,
      data: Buffer.from('split'),
      original: Buffer.from('whole'),
      keys,
    }
    const withKeys = eachRecord((record) => ({
      ...capitals(record),
      metadata: { partitionKeys: { c: '3' } },
    }))
    const same = await runLambda(eachRecord(capitals), [given])
    expect(same.out).toEqual([{ ...given, data: Buffer.from('SPLIT') }])
    const changed = await runLambda(withKeys, [given])
    expect(changed.out).toEqual([
      {
        ...given,
        data: Buffer.from('SPLIT'),
        keys: { query: keys.query, lambda: new Map([['c', '3']]) },
      },
    ])
    const failed = await runLambda(() => ({ records: [] }), [given])
    expect(String(failed.failed[0]?.record.original)).toBe('whole')
  })

  test('that is junk is final, and fails its own invocation only', async () => {
    const ran = await runLambda(
      (event, signal) =>
        event.records[0]?.data === 'Yg==' ? 'junk' : eachRecord(capitals)(event, signal),
      ['a', 'b', 'c'],
      { bufferBytes: 1 },
    )
    expect(texts(ran.out)).toEqual(['A', 'C'])
    expect(failures(ran)).toEqual([
      '1 Lambda.FunctionError The function did not return a list of records (1)',
    ])
    expect(ran.functions.events).toHaveLength(3)
  })

  test('of 6 MB is taken, of a byte more it is not', async () => {
    const answering = async (sizeBytes: number): Promise<readonly string[]> => {
      const answer = { records: [{ recordId: `${BATCH_ID}00000000`, result: 'Dropped', pad: '' }] }
      const pad = '.'.repeat(sizeBytes - JSON.stringify(answer).length)
      return failures(
        await runLambda(() => ({ ...answer, records: [{ ...answer.records[0], pad }] }), ['a']),
      )
    }
    expect(await answering(6_291_456)).toEqual([])
    expect(await answering(6_291_457)).toEqual([
      '0 Lambda.FunctionError The function returned 6291457 bytes, more than 6291456 (1)',
    ])
  })

  test('without some of the records fails those', async () => {
    const ran = await runLambda(
      eachRecord((record) => (record.data === 'Yg==' ? undefined : capitals(record))),
      ['a', 'b', 'c'],
    )
    expect(texts(ran.out)).toEqual(['A', 'C'])
    expect(failures(ran)).toEqual([
      '1 Lambda.MissingRecordId The function did not return the record (1)',
    ])
    expect(ran.executions).toEqual([
      { name: ARN, durationMs: 0, recordCount: 3, errorCode: 'Lambda.MissingRecordId' },
    ])
  })
})

describe('a call without an answer', () => {
  const CODES = [
    'Lambda.FunctionError',
    'Lambda.InvokeAccessDenied',
    'Lambda.AssumeRoleAccessDenied',
    'Lambda.InvokeLimitExceeded',
    'Lambda.ResourceNotFound',
  ]

  test.each(CODES)('is made again as often as it may, then fails as %s', async (code) => {
    const sleptMs: number[] = []
    const ran = await runLambda(
      () => {
        throw new InvocationError(code, 'Cannot be called')
      },
      ['a', 'b'],
      { retries: 9, clock: quickClock(sleptMs) },
    )
    expect(failures(ran)).toEqual([
      `0 ${code} Cannot be called (10)`,
      `1 ${code} Cannot be called (10)`,
    ])
    expect(sleptMs).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
    expect(ran.executions).toEqual(
      Array.from({ length: 10 }, () => ({
        name: ARN,
        durationMs: 0,
        recordCount: 2,
        errorCode: code,
      })),
    )
  })

  test('is not made again where there are no retries', async () => {
    const ran = await runLambda(
      () => {
        throw new InvocationError('Lambda.FunctionError', 'x'.repeat(100_000))
      },
      ['a'],
      { retries: 0 },
    )
    expect(failures(ran)).toEqual([`0 Lambda.FunctionError ${'x'.repeat(1_000)} (1)`])
  })

  test('may be followed by one with an answer, whose failures count all attempts', async () => {
    let attempts = 0
    const ran = await runLambda(
      ({ records }) => {
        attempts += 1
        if (attempts < 3) throw new InvocationError('Lambda.FunctionError', 'Broken')
        return { records: records.slice(1).map(capitals) }
      },
      ['a', 'b'],
    )
    expect(texts(ran.out)).toEqual(['B'])
    expect(failures(ran)).toEqual([
      '0 Lambda.MissingRecordId The function did not return the record (3)',
    ])
    expect(ran.executions.map(({ errorCode }) => errorCode)).toEqual([
      'Lambda.FunctionError',
      'Lambda.FunctionError',
      'Lambda.MissingRecordId',
    ])
  })

  test('is one, too, where nothing answers to the ARN any more', async () => {
    const functions = new ScriptedFunctions(eachRecord(capitals))
    const lease = functions.lease.bind(functions)
    let asked = 0
    functions.lease = async (arn) => {
      asked += 1
      if (asked === 1) throw new InvocationError('Lambda.ResourceNotFound', 'No such function')
      return await lease(arn)
    }
    const ran = await runLambda(eachRecord(capitals), ['a'], { functions })
    expect(texts(ran.out)).toEqual(['A'])
    expect(ran.executions.map(({ errorCode }) => errorCode)).toEqual([
      'Lambda.ResourceNotFound',
      undefined,
    ])
    expect(functions.releasedCount).toBe(1)
  })
})

describe('a batch', () => {
  test('ends on the code it began with, and gives it back', async () => {
    const { functions } = await runLambda(eachRecord(capitals), ['a', 'b', 'c'], { bufferBytes: 1 })
    expect(functions.leased).toEqual([ARN])
    expect(functions.releasedCount).toBe(1)
  })

  test('without records needs no function', async () => {
    const { functions } = await runLambda(eachRecord(capitals), [])
    expect(functions.leased).toEqual([])
  })

  test('has five invocations under way, and keeps its order whichever ends first', async () => {
    const waiting: (() => void)[] = []
    const script: Script = async (event, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push(resolve)
      if (waiting.length === 5) void setImmediate().then(wakeLastFirst)
      await promise
      return eachRecord(capitals)(event, signal)
    }
    const wakeLastFirst = (): void => {
      for (const wake of waiting.splice(0).toReversed()) wake()
    }
    const { functions, out } = await runLambda(script, LETTERS, { bufferBytes: 1 })
    expect(functions.outstandingMax).toBe(5)
    expect(texts(out)).toEqual(LETTERS.map((letter) => letter.toUpperCase()))
  })

  test('that is given up throws at once, with the function given back', async () => {
    const aborting = new AbortController()
    const functions = new ScriptedFunctions(async (_, signal) => {
      const { promise, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => reject(new Error('aborted')))
      aborting.abort()
      return await promise
    })
    const processor = lambda({
      arn: ARN,
      retries: 3,
      bufferBytes: 1,
      functions,
      clock: quickClock(),
    })
    await expect(
      runProcessor(processor, ['a', 'b'], { signal: aborting.signal }),
    ).rejects.toMatchObject({ name: 'DeliveryError', retryable: true, effect: 'none' })
    expect(functions.releasedCount).toBe(1)
    expect(functions.outstanding).toBe(0)
  })

  test('that is given up between two attempts is not tried again', async () => {
    const aborting = new AbortController()
    const functions = new ScriptedFunctions(() => {
      throw new InvocationError('Lambda.FunctionError', 'Broken')
    })
    const clock = { ...quickClock(), sleep: async () => aborting.abort() }
    const processor = lambda({ arn: ARN, retries: 3, bufferBytes: 1, functions, clock })
    await expect(runProcessor(processor, ['a'], { signal: aborting.signal })).rejects.toMatchObject(
      { name: 'DeliveryError', retryable: true, effect: 'none' },
    )
    expect(functions.events).toHaveLength(1)
  })

  test('whose consumer fails gives the function back', async () => {
    const functions = new ScriptedFunctions(eachRecord(capitals))
    const processor = lambda({
      arn: ARN,
      retries: 3,
      bufferBytes: 1,
      functions,
      clock: quickClock(),
    })
    const failing = {
      async *process(...[records, job]: Parameters<typeof processor.process>) {
        for await (const group of processor.process(records, job)) {
          yield group
          throw new Error('Disk full')
        }
      },
    }
    await expect(runProcessor(failing, ['a', 'b', 'c'])).rejects.toThrow('Disk full')
    expect(functions.releasedCount).toBe(1)
  })

  test('that meets an error of our own throws it', async () => {
    await expect(
      runLambda(() => {
        throw new TypeError('A defect')
      }, ['a']),
    ).rejects.toThrow('A defect')
  })
})
