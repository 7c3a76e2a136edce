import { expect, test } from 'vitest'
import type { Claim } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { FrozenOutput, Manifest } from '../manifest.ts'
import { receiptOf } from './receipt-making.ts'

const claim = { attempt: 2, batch: { batchId: 'B', recordCount: 10 } } as Claim
const stream = { streamId: 'S', name: 'logs' } as DeliveryStream

function output(members: Partial<FrozenOutput>, refused: readonly number[] = []): FrozenOutput {
  const said = { errorCode: '400', errorMessage: '', attempts: 1, atMs: 0 }
  return {
    kind: 'documents',
    target: '',
    accounting: 'delivered',
    recordCount: 5,
    sizeBytes: 0,
    sha256: '',
    formerSha256s: [],
    progress: {
      attempts: 3,
      lastAttemptAtMs: 0,
      refused: refused.map((ordinal) => ({ ordinal, ...said })),
    },
    ...members,
  }
}

function countsOf(outputs: readonly FrozenOutput[], quarantinedCount = 0): number[] {
  const manifest = { outputs, quarantinedCount, droppedCount: 0 } as Partial<Manifest> as Manifest
  return receiptOf(claim, 10, stream, manifest, 0).outputs.map(({ recordCount }) => recordCount)
}

const ranges = [{ range: { from: 0, to: 5 } }, { range: { from: 5, to: 10 } }] as const
const errors = { kind: ERROR_OUTPUT_KIND, accounting: 'errored' } as const

test('what an output refused is counted by the error output', () => {
  const outputs = [
    output(ranges[0], [1, 2]),
    output(ranges[1]),
    output({ ...errors, recordCount: 2 }),
  ]
  expect(countsOf(outputs)).toEqual([3, 5, 2])
})

test('records refused, and damaged since, are quarantined and nothing else', () => {
  const first = output({ ...ranges[0], recordCount: 3 }, [0, 1, 2, 3, 4])
  const second = output(ranges[1], [5, 6, 7])
  const outputs = [first, second, output({ ...errors, recordCount: 6 })]
  expect(countsOf(outputs, 2)).toEqual([0, 2, 6])
})

test('copies count in full', () => {
  const copy = output({ kind: 's3-backup', accounting: 'copy', recordCount: 10 })
  const outputs = [copy, output({ recordCount: 10 }, [3]), output({ ...errors, recordCount: 1 })]
  expect(countsOf(outputs)).toEqual([10, 9, 1])
})
