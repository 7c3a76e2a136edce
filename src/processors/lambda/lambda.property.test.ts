/** Whatever a function does, each record ends in one place: transformed, dropped or failed. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PROCESSING_BATCH_ID, runProcessor } from '../../../test/fakes/processing.ts'
import { capitals, ScriptedFunctions } from '../../../test/fakes/scripted-functions.ts'
import type { Answered } from '../../../test/fakes/scripted-functions.ts'
import { systemClock } from '../../base/clock.ts'
import { InvocationError } from '../../functions.ts'
import type { TransformationEvent, TransformationRecord } from '../../functions.ts'
import { decodeRecordId } from '../../record.ts'
import { lambda } from './lambda.ts'

const DEEDS = {
  ok: (record) => [capitals(record)],
  drop: ({ recordId }) => [{ recordId, result: 'Dropped' }],
  fail: ({ recordId }) => [{ recordId, result: 'ProcessingFailed' }],
  omit: () => [],
  rename: (record) => [{ ...capitals(record), recordId: `${PROCESSING_BATCH_ID}zzzzzzzz` }],
  duplicate: (record) => [capitals(record), capitals(record)],
  add: (record) => [capitals(record), { ...capitals(record), recordId: 'made up' }],
  corrupt: (record) => [{ ...capitals(record), data: 'Q' }],
  misspell: (record) => [{ ...capitals(record), result: 'OK' }],
  scribble: () => [null as unknown as Answered],
} satisfies Record<string, (record: TransformationRecord) => readonly Answered[]>
type Deed = keyof typeof DEEDS

const CALLS = ['answer', 'answer', 'answer', 'reverse', 'throw', 'junk'] as const

/** Most records are well answered, or there would never be an invocation that is. */
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Deed>('ok', 'drop', 'fail') },
  { weight: 1, arbitrary: fc.constantFrom(...(Object.keys(DEEDS) as Deed[])) },
)

function ordinalOf({ recordId }: TransformationRecord): number {
  return decodeRecordId(recordId)?.ordinal ?? -1
}

test('records in = transformed + dropped + failed, in order, each once', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ text: fc.stringMatching(/^[a-z]{0,9}$/), deed }), { maxLength: 60 }),
      fc.array(fc.constantFrom(...CALLS), { maxLength: 20 }),
      fc.record({
        bufferBytes: fc.integer({ min: 1, max: 100 }),
        groupSize: fc.integer({ min: 1, max: 20 }),
        retries: fc.integer({ min: 0, max: 2 }),
      }),
      async (records, calls, { groupSize, ...options }) => {
        let called = 0
        const functions = new ScriptedFunctions(({ records: sent }: TransformationEvent) => {
          const call = calls[called++]
          if (call === 'throw') throw new InvocationError('Lambda.FunctionError', 'Broken')
          if (call === 'junk') return { records: 'junk' }
          const answer = sent.flatMap((record) =>
            DEEDS[records[ordinalOf(record)]?.deed ?? 'omit'](record),
          )
          return { records: call === 'reverse' ? answer.toReversed() : answer }
        })
        const clock = { ...systemClock, sleep: async () => {} }
        const processor = lambda({ arn: 'arn', functions, clock, ...options })
        const run = await runProcessor(
          processor,
          records.map(({ text }) => text),
          { groupSize },
        )

        const out = run.out.map(({ ordinal }) => ordinal)
        const failed = run.failed.map(({ record }) => record.ordinal)
        const sorted = (ordinals: readonly number[]): readonly number[] =>
          ordinals.toSorted((a, b) => a - b)
        expect(sorted([...out, ...failed, ...run.dropped])).toEqual([...records.keys()])
        for (const ordinals of [out, failed, run.dropped])
          expect(ordinals).toEqual(sorted(ordinals))
        for (const { ordinal, data, original } of run.out) {
          expect(String(original)).toBe(records[ordinal]?.text)
          expect(String(data)).toBe(records[ordinal]?.text.toUpperCase())
        }
        for (const ordinal of run.dropped) expect(records[ordinal]?.deed).toBe('drop')
        for (const { record, failure } of run.failed) {
          expect(String(record.original)).toBe(records[record.ordinal]?.text)
          seen.add(failure.errorCode)
        }
        expect(functions.releasedCount).toBe(functions.leased.length)
      },
    ),
    { numRuns: 300 },
  )
  expect([...seen].toSorted()).toEqual([
    'Lambda.DuplicatedRecordId',
    'Lambda.FunctionError',
    'Lambda.JsonProcessingException',
    'Lambda.MissingRecordId',
    'Lambda.ProcessingFailedStatus',
  ])
})
