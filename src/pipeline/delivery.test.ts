import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { ClaimLost } from '../batch.ts'
import type { SealedBatch } from '../batch.ts'
import type { BatchContents } from '../batch-store.ts'
import type { Claim, Failure, Retry } from '../delivery-queue.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { DeliverJob, Destination, EncodeJob, OutputContent } from '../destination.ts'
import { DeliveryError } from '../destination.ts'
import { ManifestDamaged } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import type { Receipt } from '../receipt.ts'
import { NO_EXECUTIONS, NO_STAGING, noProcessors } from '../../test/fakes/no-processors.ts'
import { Delivery } from './delivery.ts'

const HOUR_MS = 3_600_000

const stream: DeliveryStream = {
  streamId: 'S1',
  name: 'logs',
  arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
  status: 'ACTIVE',
  type: 'DirectPut',
  createdAtMs: 0,
  versionId: 3,
  revision: 1,
  tags: [],
  encryption: { status: 'DISABLED' },
  destinationType: 'Test',
  destination: { Prefix: 'new/' },
}

const batchOf = (firstArrivalMs: number): SealedBatch => ({
  batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  streamId: 'S1',
  recordCount: 2,
  dataBytes: 10,
  storedBytes: 50,
  firstArrivalMs,
  lastArrivalMs: firstArrivalMs,
  sealedAtMs: firstArrivalMs,
  sealReason: 'age',
})

const contentOf = (sha256: string): OutputContent => ({
  sizeBytes: 10,
  sha256,
  read: () => Promise.resolve(Buffer.alloc(0)),
  dispose: () => Promise.resolve(),
})

interface Outcome {
  receipts: Receipt[]
  retries: Retry[]
  parked: Failure[]
  released: Claim[]
  delivered: DeliverJob[]
  encoded: EncodeJob[]
  /** Spools that nobody has given back. */
  openSpoolCount: number
  /** The manifest on disk at the end. */
  manifest: Manifest | undefined
  warnings: string[]
  errors: string[]
}

interface Scenario {
  manifest?: Manifest
  sha256?: string
  firstArrivalMs?: number
  attempt?: number
  streamFailureCount?: number
  quarantinedCount?: number
  /** Called within `encode`. */
  encode?: (job: EncodeJob) => Promise<void>
  /** `manifest`: what is on disk when the attempt is made; `abort` ends the worker. */
  deliver?: (now: { manifest: Manifest | undefined; abort: () => void }) => Promise<void>
  /** Called before a manifest is written or removed. */
  onManifest?: (change: 'freeze' | 'thaw') => void
}

const unexpected = () => Promise.reject(new Error('this destination refuses nothing'))

/** Gives one claim to the loop, and says what became of it. */
async function deliverOne(scenario: Scenario): Promise<Outcome> {
  const quarantinedCount = scenario.quarantinedCount ?? 0
  const outcome: Outcome = {
    receipts: [],
    retries: [],
    parked: [],
    released: [],
    delivered: [],
    encoded: [],
    openSpoolCount: 0,
    manifest: scenario.manifest,
    warnings: [],
    errors: [],
  }
  const worker = new AbortController()
  const contents: BatchContents = {
    read: () => ({ quarantinedCount, async *[Symbol.asyncIterator]() {} }),
    manifest: () => Promise.resolve(outcome.manifest),
    freeze: async (_batch, manifest) => {
      scenario.onManifest?.('freeze')
      outcome.manifest = manifest
    },
    thaw: async () => {
      scenario.onManifest?.('thaw')
      outcome.manifest = undefined
    },
    ...NO_STAGING,
  }
  const destination: Destination = {
    encode: async (job) => {
      outcome.encoded.push(job)
      await scenario.encode?.(job)
      const target = job.frozen?.outputs[0]?.target ?? 'fresh-name'
      const content = contentOf(scenario.sha256 ?? 'aa')
      const recordCount = 2 - quarantinedCount
      return [{ kind: 'object', target, accounting: 'delivered', recordCount, content }]
    },
    deliver: async (job) => {
      outcome.delivered.push(job)
      await scenario.deliver?.({ manifest: outcome.manifest, abort: () => worker.abort() })
      return []
    },
    close: () => Promise.resolve(),
  }
  const claim = {
    token: 't',
    batch: batchOf(scenario.firstArrivalMs ?? Date.now()),
    attempt: scenario.attempt ?? 1,
    streamFailureCount: scenario.streamFailureCount ?? 0,
  }
  const claims = [{ claim, stream, refusedInARow: 0 }]
  const delivery = new Delivery({
    host: {
      claim: () => Promise.resolve(claims.pop()),
      commit: async (_claim, receipt) => void outcome.receipts.push(receipt),
      retry: async (_claim, retry) => void outcome.retries.push(retry),
      park: async (_claim, failure) => void outcome.parked.push(failure),
      release: async (released) => void outcome.released.push(released),
      ...NO_EXECUTIONS,
    },
    contents,
    processing: noProcessors(contents),
    processingsMax: 1,
    destinations: new Map([['Test', destination]]),
    errorOutput: {
      encode: unexpected,
      encodeProcessingErrors: unexpected,
      deliver: unexpected,
    },
    openSpool: () => {
      outcome.openSpoolCount += 1
      return {
        write: () => Promise.resolve(),
        finish: () => Promise.resolve(contentOf('aa')),
        dispose: async () => void (outcome.openSpoolCount -= 1),
      }
    },
    claimsMax: 1,
    encodingsMax: 1,
    backoff: { firstMs: 1_000, maxMs: 60_000 },
    clock: { ...systemClock, random: () => 0.5 },
    logger: {
      ...silentLogger,
      warn: (_fields, message) => void outcome.warnings.push(message),
      error: (_fields, message) => void outcome.errors.push(message),
    },
  })
  await delivery.run(new AbortController().signal, worker.signal)
  return outcome
}

const frozenManifest: Manifest = {
  batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  versionId: 2,
  destinationType: 'Test',
  destination: { Prefix: 'old/' },
  frozenAtMs: 1,
  outputs: [
    {
      kind: 'object',
      target: 'old-name',
      accounting: 'delivered',
      recordCount: 2,
      sizeBytes: 10,
      sha256: 'aa',
      formerSha256s: [],
    },
  ],
  droppedCount: 0,
  quarantinedCount: 0,
}

const refusal = new DeliveryError('S3.NoSuchBucket', 'Cannot put: no such bucket', {
  retryable: true,
  effect: 'none',
  brake: true,
})

const silence = new DeliveryError('S3.RequestTimeout', 'Cannot put: no answer', {
  retryable: true,
  effect: 'unknown',
})

test('a batch is frozen before it is delivered, and its receipt accounts for each record', async () => {
  let frozenAtDelivery: Manifest | undefined
  const outcome = await deliverOne({
    deliver: async ({ manifest }) => {
      frozenAtDelivery = manifest
    },
  })
  expect(frozenAtDelivery?.outputs[0]).toMatchObject({ target: 'fresh-name', sha256: 'aa' })
  expect(outcome.receipts).toMatchObject([
    { recordCount: 2, attempts: 1, outputs: [{ accounting: 'delivered', recordCount: 2 }] },
  ])
})

test('a manifest found at claim decides names, version and configuration', async () => {
  const { encoded, delivered, receipts } = await deliverOne({ manifest: frozenManifest })
  expect(encoded[0]?.frozen).toBe(frozenManifest)
  expect(encoded[0]?.stream).toMatchObject({ versionId: 2, destination: { Prefix: 'old/' } })
  expect(delivered[0]?.output.target).toBe('old-name')
  expect(receipts).toHaveLength(1)
})

test('a batch refused without effect is thawed, so that an update can cure it', async () => {
  const outcome = await deliverOne({ deliver: () => Promise.reject(refusal) })
  expect(outcome.manifest).toBeUndefined()
  expect(outcome.retries).toMatchObject([{ errorCode: 'S3.NoSuchBucket', brake: true }])
})

test('a batch whose attempt may have had an effect stays frozen', async () => {
  const outcome = await deliverOne({ deliver: () => Promise.reject(silence) })
  expect(outcome.manifest?.outputs[0]?.target).toBe('fresh-name')
  expect(outcome.retries).toMatchObject([{ errorCode: 'S3.RequestTimeout', brake: false }])
})

test('a batch frozen by an earlier claim stays frozen even when it is refused now', async () => {
  const outcome = await deliverOne({
    manifest: frozenManifest,
    deliver: () => Promise.reject(refusal),
  })
  expect(outcome.manifest?.outputs).toMatchObject([{ target: 'old-name', sha256: 'aa' }])
})

test('other bytes than were frozen are frozen anew, and the former hash is accepted too', async () => {
  const { manifest, delivered } = await deliverOne({
    manifest: frozenManifest,
    sha256: 'bb',
    quarantinedCount: 1,
  })
  expect(manifest).toMatchObject({
    quarantinedCount: 1,
    outputs: [{ target: 'old-name', sha256: 'bb', recordCount: 1, formerSha256s: ['aa'] }],
  })
  expect(delivered[0]?.formerSha256s).toEqual(['aa'])
})

test('a batch beyond its retention is parked, a younger one is tried again', async () => {
  const fail = (): Promise<void> => Promise.reject(silence)
  const old = await deliverOne({ firstArrivalMs: Date.now() - 25 * HOUR_MS, deliver: fail })
  expect(old).toMatchObject({ parked: [{ errorCode: 'S3.RequestTimeout' }], retries: [] })
  const young = await deliverOne({ firstArrivalMs: Date.now() - 23 * HOUR_MS, deliver: fail })
  expect(young).toMatchObject({ parked: [], retries: [{ errorCode: 'S3.RequestTimeout' }] })
})

test('a batch that fails alone waits longer than its stream', async () => {
  const fail = (): Promise<void> => Promise.reject(silence)
  const alone = await deliverOne({ attempt: 5, streamFailureCount: 0, deliver: fail })
  expect(alone.retries).toMatchObject([{ afterMs: 16_000, streamAfterMs: 1_000 }])
  const withAll = await deliverOne({ attempt: 1, streamFailureCount: 4, deliver: fail })
  expect(withAll.retries).toMatchObject([{ afterMs: 16_000, streamAfterMs: 16_000 }])
})

test('an error that nobody classified is tried again and may have had an effect', async () => {
  const bug = (): Promise<void> => Promise.reject(new TypeError('x is not a function'))
  const outcome = await deliverOne({ deliver: bug })
  expect(outcome.retries).toMatchObject([{ errorCode: 'InternalError', brake: false }])
  expect(outcome.manifest).toBeDefined()
})

test('what an encoding that failed has spooled is given back', async () => {
  const outcome = await deliverOne({
    encode: async (job) => {
      await job.openSpool().write(Buffer.from('half of it'))
      throw new Error('no space left on device')
    },
  })
  expect(outcome).toMatchObject({ encoded: [{}], openSpoolCount: 0, retries: [{}] })
})

test('a batch whose manifest is damaged is parked at once, for an operator to judge', async () => {
  const outcome = await deliverOne({
    encode: () => Promise.reject(new ManifestDamaged('Cannot read the manifest of batch B')),
  })
  expect(outcome).toMatchObject({
    retries: [],
    parked: [
      {
        errorCode: 'ManifestDamaged',
        errorMessage: 'Cannot read the manifest of batch B; see `standpipe data repair`',
      },
    ],
  })
})

test.each([
  ['as the abort makes it', silence],
  ['for good', new DeliveryError('S3.Denied', 'No', { retryable: false, effect: 'unknown' })],
])('an aborted attempt that fails %s gives the batch back untried', async (_case, error) => {
  const outcome = await deliverOne({
    firstArrivalMs: Date.now() - 25 * HOUR_MS,
    deliver: ({ abort }) => {
      abort()
      return Promise.reject(error)
    },
  })
  expect(outcome).toMatchObject({
    released: [{ token: 't' }],
    retries: [],
    parked: [],
    receipts: [],
    manifest: { outputs: [{ target: 'fresh-name' }] },
  })
})

const LET_GO = {
  receipts: [],
  retries: [],
  parked: [],
  // Which does nothing to a claim that is lost.
  released: [{ token: 't' }],
  openSpoolCount: 0,
  warnings: ['A batch is in the hands of another worker meanwhile.'],
  errors: [],
}

const loseAt = (lost: 'freeze' | 'thaw') => (change: 'freeze' | 'thaw') => {
  if (change === lost) throw new ClaimLost('Cannot write the manifest: another holds the batch')
}

test('a batch that another worker has claimed since is let go before anything leaves', async () => {
  const outcome = await deliverOne({ onManifest: loseAt('freeze') })
  expect(outcome).toMatchObject({ ...LET_GO, encoded: [{}], delivered: [], manifest: undefined })
})

test.each([false, true])(
  'a batch whose claim turns out to be lost after it failed is let go, aborted: %s',
  async (aborts) => {
    const outcome = await deliverOne({
      onManifest: loseAt('thaw'),
      deliver: ({ abort }) => {
        if (aborts) abort()
        return Promise.reject(refusal)
      },
    })
    expect(outcome).toMatchObject({ ...LET_GO, delivered: [{}] })
    expect(outcome.manifest).toBeDefined()
  },
)
