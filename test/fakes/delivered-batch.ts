/** A batch with what the engine hands to a destination, for tests of a destination by itself. */
import { createHash } from 'node:crypto'
import { systemClock } from '../../src/base/clock.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { chunkOf } from '../../src/chunk.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { Connections } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  Destination,
  DestinationContext,
  EncodedOutput,
  RecordFailure,
  Spool,
} from '../../src/destination.ts'
import type { Manifest } from '../../src/manifest.ts'
import { pendingRecords } from '../../src/pipeline/pending-records.ts'

export const BATCH_ID = '01J2P4YH2NZ5R6T7V8W9X0Y1Z2'
const ARRIVAL_MS = Date.UTC(2026, 6, 13, 14, 15, 16)

export function contextWith(
  given: { readonly connections?: Connections; readonly clock?: Clock } = {},
): DestinationContext {
  return {
    objectStore: { description: 'nowhere', put: () => Promise.resolve(), close: async () => {} },
    connections: NO_CONNECTIONS,
    clock: systemClock,
    logger: silentLogger,
    ...given,
  }
}

export function streamTo(destinationType: string, destination: JsonObject): DeliveryStream {
  return {
    streamId: '01J2P4YH2NZ5R6T7V8W9X0Y1Z0',
    name: 'logs',
    arn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: ARRIVAL_MS,
    versionId: 1,
    revision: 1,
    tags: [],
    encryption: { status: 'DISABLED' },
    destinationType,
    destination,
  }
}

/** Records in chunks of which some may be missing; each chunk is an array of records. */
export class DeliveredBatch {
  readonly batch: SealedBatch
  readonly stream: DeliveryStream
  readonly #destination: Destination
  readonly #chunks: readonly StoredChunk[]

  constructor(
    destination: Destination,
    stream: DeliveryStream,
    chunks: readonly (readonly string[] | { readonly lost: number })[],
  ) {
    this.#destination = destination
    this.stream = stream
    let ordinal = 0
    this.#chunks = chunks.flatMap((records) => {
      const firstOrdinal = ordinal
      ordinal += 'lost' in records ? records.lost : records.length
      if ('lost' in records) return []
      const chunk = chunkOf(
        records.map((record) => Buffer.from(record)),
        ARRIVAL_MS,
      )
      return [{ ...chunk, firstOrdinal }]
    })
    this.batch = {
      batchId: BATCH_ID,
      streamId: stream.streamId,
      recordCount: ordinal,
      dataBytes: 0,
      storedBytes: 0,
      firstArrivalMs: ARRIVAL_MS,
      lastArrivalMs: ARRIVAL_MS,
      sealedAtMs: ARRIVAL_MS + 60_000,
      sealReason: 'age',
    }
  }

  encode(frozen?: readonly EncodedOutput[]): Promise<readonly EncodedOutput[]> {
    return this.#destination.encode({
      batch: this.batch,
      stream: this.stream,
      chunks: asynchronous(this.#chunks),
      frozen: frozen && manifestOf(this.stream, frozen),
      openSpool: memorySpool,
    })
  }

  /** One attempt at an output. */
  async deliver(
    output: EncodedOutput,
    given: {
      readonly currentStream?: DeliveryStream
      readonly pending?: (ordinal: number) => boolean
      readonly signal?: AbortSignal
    } = {},
  ): Promise<readonly RecordFailure[]> {
    const { from, to } = output.range ?? { from: 0, to: Infinity }
    const { pending = () => true } = given
    const isPending = (ordinal: number): boolean =>
      ordinal >= from && ordinal < to && pending(ordinal)
    return this.#destination.deliver({
      batch: this.batch,
      output,
      stream: this.stream,
      currentStream: given.currentStream ?? this.stream,
      formerSha256s: [],
      earlierAttempts: 0,
      records: () => pendingRecords(asynchronous(this.#chunks), { isPending }),
      signal: given.signal ?? new AbortController().signal,
    })
  }
}

async function* asynchronous<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  for (const item of items) yield await Promise.resolve(item)
}

function manifestOf(stream: DeliveryStream, outputs: readonly EncodedOutput[]): Manifest {
  return {
    batchId: BATCH_ID,
    versionId: stream.versionId,
    destinationType: stream.destinationType,
    destination: stream.destination,
    frozenAtMs: ARRIVAL_MS,
    outputs: outputs.map(({ content, ...output }) => ({
      ...output,
      sizeBytes: content?.sizeBytes ?? 0,
      sha256: content?.sha256 ?? '',
      formerSha256s: [],
    })),
    droppedCount: 0,
    quarantinedCount: 0,
  }
}

function memorySpool(): Spool {
  const blocks: Buffer[] = []
  return {
    write(bytes) {
      blocks.push(Buffer.from(bytes))
      return Promise.resolve()
    },
    finish() {
      const whole = Buffer.concat(blocks)
      return Promise.resolve({
        sizeBytes: whole.byteLength,
        sha256: createHash('sha256').update(whole).digest('hex'),
        read: (start: number, end: number) => Promise.resolve(whole.subarray(start, end)),
        dispose: () => Promise.resolve(),
      })
    },
  }
}
