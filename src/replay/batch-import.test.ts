import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { AppendError } from '../batch-store.ts'
import type { BatchStore } from '../batch-store.ts'
import type { Chunk } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Intake } from '../pipeline/intake.ts'
import type { StreamRegistry } from '../pipeline/stream-registry.ts'
import { BatchImport } from './batch-import.ts'

const TARGET = { streamId: 'id', name: 'logs', status: 'ACTIVE' } as DeliveryStream

async function* noChunks(): AsyncGenerator<Chunk> {}

interface Facts {
  /** Of the store, look by look. */
  readonly storedBytes?: number[]
  /** What each import comes to. */
  readonly outcomes?: (boolean | Error)[]
  readonly current?: DeliveryStream | undefined
  readonly recordsPerSecond?: number
}

function open(facts: Facts) {
  const { storedBytes = [], outcomes = [true], recordsPerSecond } = facts
  const current = 'current' in facts ? facts.current : TARGET
  const reasons: string[] = []
  const sleeps: number[] = []
  const cancelling = new AbortController()
  const batches = new BatchImport({
    registry: { byId: () => current } as unknown as StreamRegistry,
    intake: {
      batchBytesMax: () => 5,
      import: async () => {
        const outcome = outcomes.shift()
        if (outcome instanceof Error) throw outcome
        return outcome
      },
    } as unknown as Intake,
    store: {
      usage: () => ({ storedBytes: storedBytes.shift() ?? 0, quotaBytes: 100 }),
    } as unknown as BatchStore,
    clock: { ...systemClock, sleep: async (durationMs) => void sleeps.push(durationMs) },
    target: TARGET,
    recordsPerSecond,
    signal: cancelling.signal,
    onWait: (reason) => reasons.push(reason),
  })
  return { batches, reasons, sleeps, cancelling }
}

test('a batch is begun once no more than half of the quota is in use', async () => {
  const { batches, reasons } = open({ storedBytes: [90, 51, 50, 90] })
  await batches.admit()
  const reason = 'Waiting for deliveries: half of the disk quota is in use'
  expect(reasons).toEqual([reason, reason])
})

test('a store that is full is waited for, one that fails is not', async () => {
  const full = new AppendError('full', 'Cannot append: the disk quota is used up')
  const failed = new AppendError('failed', 'Cannot append: the disk failed')
  const { batches, reasons } = open({ outcomes: [full, full, true, failed] })
  expect(await batches.import('id', noChunks, 1)).toBe(true)
  expect(reasons).toEqual([full.message, full.message])
  await expect(batches.import('id', noChunks, 1)).rejects.toBe(failed)
})

test('the rate holds for what is made, and not for what was there', async () => {
  const { batches, sleeps } = open({ outcomes: [true, false], recordsPerSecond: 100 })
  expect(batches.limits()).toEqual({ partBytesMax: 5, partRecordsMax: 100 })
  await batches.import('id', noChunks, 50)
  await batches.import('id', noChunks, 50)
  expect(sleeps).toEqual([500])
})

test('nothing is begun once the replay is cancelled', async () => {
  const { batches, cancelling } = open({ storedBytes: [90] })
  cancelling.abort(new Error('Cancelled'))
  await expect(batches.admit()).rejects.toThrow('Cancelled')
  await expect(batches.import('id', noChunks, 1)).rejects.toThrow('Cancelled')
})

test.for([undefined, { ...TARGET, status: 'DELETING' as const }])(
  'a target that is gone takes nothing: %o',
  async (current) => {
    const { batches } = open({ current })
    await expect(batches.import('id', noChunks, 1)).rejects.toThrow(
      'Cannot replay into logs: the stream is gone',
    )
  },
)
