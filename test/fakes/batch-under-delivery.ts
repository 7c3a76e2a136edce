/**
 * One batch, claim by claim, through the engine's delivery with a destination and an error output that
 * do as they are told. What is on disk stays between claims; the engine is a new one for each, so that
 * every claim is also one after a restart.
 */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { BatchContents } from '../../src/batch-store.ts'
import { chunkOf } from '../../src/chunk.ts'
import type { Failure, Retry } from '../../src/delivery-queue.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  DeliverJob,
  Destination,
  EncodedOutput,
  FailurePolicy,
  OutputContent,
  RecordFailure,
} from '../../src/destination.ts'
import type { ErrorOutput } from '../../src/error-output.ts'
import { ERROR_OUTPUT_KIND } from '../../src/error-output.ts'
import type { Manifest, OrdinalRange, Refusal } from '../../src/manifest.ts'
import { Delivery } from '../../src/pipeline/delivery.ts'
import type { Receipt } from '../../src/receipt.ts'
import { RecordSet } from '../../src/record-set.ts'
import { NO_EXECUTIONS, NO_STAGING, noProcessors } from './no-processors.ts'

export const STREAM: DeliveryStream = {
  streamId: 'S1',
  name: 'logs',
  arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
  status: 'ACTIVE',
  type: 'DirectPut',
  createdAtMs: 0,
  versionId: 1,
  revision: 1,
  tags: [],
  encryption: { status: 'DISABLED' },
  destinationType: 'Test',
  destination: {},
}

export interface PlannedOutput {
  readonly kind?: string
  readonly accounting?: 'delivered' | 'copy'
  readonly range?: OrdinalRange
  readonly needsEarlier?: boolean
}

export interface BatchOptions {
  readonly recordCount: number
  readonly outputs?: readonly PlannedOutput[]
  readonly retryDurationMs?: number
  readonly atLeastOnce?: boolean
}

/** What an attempt does: the records that it leaves behind, or a DeliveryError. */
type Deed = (job: DeliverJob) => readonly RecordFailure[]

/** What a claim has come to. */
export interface ClaimResult {
  readonly receipt?: Receipt
  readonly mostlyRefused?: boolean
  readonly retry?: Retry
  readonly parked?: Failure
}

export interface ClaimOptions {
  readonly attempt?: number
  readonly refusedInARow?: number
  readonly stream?: DeliveryStream
}

export class BatchUnderDelivery {
  nowMs = 1_000_000
  /** What is on disk. */
  manifest: Manifest | undefined
  /** All that was ever frozen, in order. */
  readonly frozen: Manifest[] = []
  /** Attempts at outputs: which one, and the ordinals that were pending. */
  readonly attempts: { readonly output: number; readonly ordinals: readonly number[] }[] = []
  /** Attempts at the error output. */
  readonly errorPuts: (readonly Refusal[])[] = []
  /** Set: the disk refuses to freeze. */
  diskFails = false
  quarantinedCount = 0
  encodings = 0
  readonly #options: BatchOptions
  readonly #batch: SealedBatch

  constructor(options: BatchOptions) {
    const { recordCount } = options
    this.#options = options
    this.#batch = {
      batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      streamId: STREAM.streamId,
      recordCount,
      dataBytes: recordCount,
      storedBytes: recordCount,
      firstArrivalMs: this.nowMs,
      lastArrivalMs: this.nowMs,
      sealedAtMs: this.nowMs,
      sealReason: 'age',
    }
  }

  /** @param deeds of the destination, one an attempt; @param errorDeed throws where the put fails */
  async claim(
    deeds: readonly Deed[],
    options: ClaimOptions = {},
    errorDeed: () => void = () => {},
  ): Promise<ClaimResult> {
    let result: ClaimResult = {}
    const { attempt = 1, refusedInARow = 0, stream = STREAM } = options
    const claim = { token: 't', batch: this.#batch, attempt, streamFailureCount: attempt - 1 }
    const claims = [{ claim, stream, refusedInARow }]
    const contents = this.#contents()
    const delivery = new Delivery({
      host: {
        claim: () => Promise.resolve(claims.pop()),
        commit: async (_claim, receipt, mostlyRefused) =>
          void (result = { receipt, mostlyRefused }),
        retry: async (_claim, retry) => void (result = { retry }),
        park: async (_claim, parked) => void (result = { parked }),
        release: () => assert.fail('nobody ends this worker'),
        ...NO_EXECUTIONS,
      },
      contents,
      processing: noProcessors(contents),
      processingsMax: 1,
      destinations: new Map([['Test', this.#destination(deeds)]]),
      errorOutput: this.#errorOutput(errorDeed),
      openSpool: () => assert.fail('nothing is spooled'),
      claimsMax: 1,
      encodingsMax: 1,
      backoff: { firstMs: 1_000, maxMs: 60_000 },
      clock: { ...systemClock, nowMs: () => this.nowMs, random: () => 0.5 },
      logger: silentLogger,
    })
    const never = new AbortController().signal
    await delivery.run(never, never)
    return result
  }

  /** The ordinals that the manifest on disk says of an output. */
  known(output: number): { readonly pending: number[]; readonly unknown: number[] } {
    const progress = this.manifest?.outputs[output]?.progress
    const ordinals = (set: string | undefined): number[] => [...RecordSet.parse(set ?? '')]
    return { pending: ordinals(progress?.pending), unknown: ordinals(progress?.unknown) }
  }

  #contents(): BatchContents {
    const { recordCount } = this.#options
    const chunk = chunkOf(
      Array.from({ length: recordCount }, (_, ordinal) => Buffer.from(`${ordinal}`)),
      this.nowMs,
    )
    const quarantined = (): number => this.quarantinedCount
    return {
      read: () => ({
        get quarantinedCount() {
          return quarantined()
        },
        async *[Symbol.asyncIterator]() {
          yield { ...chunk, firstOrdinal: 0 }
        },
      }),
      manifest: () => Promise.resolve(this.manifest),
      freeze: async (_batch, manifest) => {
        if (this.diskFails) throw new Error('ENOSPC')
        this.manifest = manifest
        this.frozen.push(manifest)
      },
      thaw: async () => {
        this.manifest = undefined
      },
      ...NO_STAGING,
    }
  }

  #destination(deeds: readonly Deed[]): Destination {
    const { recordCount, retryDurationMs, atLeastOnce = false } = this.#options
    const planned = this.#options.outputs ?? [{}]
    const outputs = planned.map(({ range, accounting = 'delivered', ...output }, index) => {
      const { from, to } = range ?? { from: 0, to: recordCount }
      return {
        kind: 'documents',
        target: index,
        accounting,
        recordCount: to - from,
        ...(range !== undefined && { range }),
        ...output,
      } satisfies EncodedOutput
    })
    const coming = [...deeds]
    const policy: FailurePolicy = {
      retryDurationMs: retryDurationMs ?? 0,
      atLeastOnce,
      errorOutputType: 'test-failed',
      errorMembers: () => ({}),
    }
    return {
      encode: async ({ frozen }) => {
        this.encodings += 1
        return outputs.map((output, index) => ({
          ...output,
          recordCount: output.recordCount - (index === 0 ? this.quarantinedCount : 0),
          target: frozen?.outputs[index]?.target ?? output.target,
        }))
      },
      deliver: async (job) => {
        const ordinals: number[] = []
        for await (const some of job.records()) ordinals.push(...some.map(({ ordinal }) => ordinal))
        this.attempts.push({ output: Number(job.output.target), ordinals })
        const deed = coming.shift()
        assert(deed !== undefined, 'an attempt that nobody expected')
        return deed(job)
      },
      ...(retryDurationMs !== undefined && { failurePolicy: () => policy }),
      close: () => Promise.resolve(),
    }
  }

  #errorOutput(deed: () => void): ErrorOutput {
    return {
      encodeProcessingErrors: () => assert.fail('nothing is processed'),
      encode: async ({ manifest }) => {
        const refusals = manifest.outputs.flatMap(({ progress }) => progress?.refused ?? [])
        return {
          kind: ERROR_OUTPUT_KIND,
          target: 'errors',
          accounting: 'errored',
          recordCount: refusals.length,
          content: contentOf(JSON.stringify(refusals)),
        }
      },
      deliver: async ({ output: { content } }) => {
        const bytes = await content?.read(0, content.sizeBytes)
        this.errorPuts.push(JSON.parse(String(bytes)) as Refusal[])
        deed()
      },
    }
  }
}

function contentOf(text: string): OutputContent {
  return {
    sizeBytes: text.length,
    sha256: createHash('sha256').update(text).digest('hex'),
    read: () => Promise.resolve(Buffer.from(text)),
    dispose: () => Promise.resolve(),
  }
}
