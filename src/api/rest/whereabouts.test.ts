import { expect, test } from 'vitest'
import type { ProcessingSummary } from '../../manifest.ts'
import type { Receipt, ReceiptOutput } from '../../receipt.ts'
import { encodeRecordId } from '../../record.ts'
import { RecordSet } from '../../record-set.ts'
import { whereabouts } from './whereabouts.ts'

const batchId = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

function setOf(...ordinals: number[]): string {
  const set = RecordSet.empty(10)
  for (const ordinal of ordinals) set.add(ordinal)
  return set.toString()
}

function output(kind: string, more: Partial<ReceiptOutput> = {}): ReceiptOutput {
  const accounting = 'delivered'
  return { kind, target: kind, accounting, recordCount: 1, attempts: 1, sizeBytes: 0, ...more }
}

const backup = output('backup', { accounting: 'copy', range: { from: 0, to: 10 } })
const failures = output('processing-failed', { accounting: 'errored' })
const refusals = output('error-output', { accounting: 'errored' })

function find(ordinal: number, outputs: ReceiptOutput[], processing?: ProcessingSummary) {
  const receipt = { batchId, outputs, ...(processing && { processing }) } as Partial<Receipt>
  const found = whereabouts(receipt as Receipt, ordinal)
  return { ...found, outputs: found.outputs.map(({ kind }) => kind) }
}

test('without processors the outputs count the accepted records', () => {
  const first = output('first', { range: { from: 0, to: 5 }, refused: setOf(2) })
  const second = output('second', { range: { from: 5, to: 10 } })
  const outputs = [backup, first, second, refusals]
  const recordId = (ordinal: number): string => encodeRecordId(batchId, ordinal)
  expect(find(1, outputs)).toEqual({
    state: 'delivered',
    outputs: ['backup', 'first'],
    recordId: recordId(1),
  })
  expect(find(2, outputs)).toEqual({
    state: 'errored',
    outputs: ['backup', 'error-output'],
    recordId: recordId(2),
  })
})

test('with processors some of them are dropped or failed', () => {
  const first = output('first', { range: { from: 0, to: 3 } })
  const second = output('second', { range: { from: 3, to: 6 }, refused: setOf(5) })
  const outputs = [backup, first, second, failures, refusals]
  const processing = { order: 'kept', dropped: setOf(0), failed: setOf(3) } as const
  const states = [0, 1, 2, 3, 4, 5].map((ordinal) => find(ordinal, outputs, processing))
  const none = undefined
  expect(states).toEqual([
    { state: 'dropped', outputs: ['backup'], recordId: none },
    { state: 'delivered', outputs: ['backup', 'first'], recordId: encodeRecordId(batchId, 1) },
    { state: 'delivered', outputs: ['backup', 'first'], recordId: encodeRecordId(batchId, 2) },
    { state: 'errored', outputs: ['backup', 'processing-failed'], recordId: none },
    { state: 'delivered', outputs: ['backup', 'second'], recordId: encodeRecordId(batchId, 4) },
    { state: 'errored', outputs: ['backup', 'error-output'], recordId: encodeRecordId(batchId, 5) },
  ])
})

test('of a partitioned batch it says what became of the record, and not in which object it is', () => {
  const outputs = [output('s3'), output('s3'), failures]
  const processing = { order: 'lost', failed: setOf(1) } as const
  expect(find(0, outputs, processing)).toMatchObject({ state: 'delivered', recordId: undefined })
  expect(find(1, outputs, processing).outputs).toEqual(['processing-failed'])
})

test('of records that were split it says that they were processed', () => {
  expect(find(0, [output('s3')], { order: 'split' })).toEqual({
    state: 'processed',
    outputs: ['s3'],
    recordId: undefined,
  })
})
