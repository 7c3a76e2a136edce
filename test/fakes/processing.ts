/**
 * Runs one processor over records as the engine does, and keeps the books. Each group lies in the same
 * memory, which is overwritten when the next is asked for: a stage that keeps what it doesn't own
 * gives poisoned records.
 */
import { strict as assert } from 'node:assert'
import type { Json } from '../../src/base/json.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  Execution,
  ProcessingFailure,
  ProcessingJob,
  ProcessingRecord,
  Processor,
  Records,
} from '../../src/processor.ts'

const POISON = 0xaa
const FIRST_ARRIVAL_MS = 1_700_000_000_000

export const PROCESSING_STREAM: DeliveryStream = {
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
  destinationType: 'ExtendedS3',
  destination: {},
}
export const PROCESSING_BATCH_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

export interface RunOptions {
  /** How many records the stage before hands on at once; 100 unless given. */
  readonly groupSize?: number
  readonly stream?: Partial<DeliveryStream>
  readonly signal?: AbortSignal
}

export interface ProcessorRun {
  /** What came out, in memory of its own. */
  readonly out: readonly ProcessingRecord[]
  readonly failed: readonly {
    readonly record: ProcessingRecord
    readonly failure: ProcessingFailure
  }[]
  /** Ordinals. */
  readonly dropped: readonly number[]
  /** The sum of what was told. */
  readonly made: number
  /** The last one that was set. */
  readonly tableSchema?: Json
  readonly executions: readonly Execution[]
}

/**
 * Data get ordinals from 0, and arrive a millisecond after one another; records are taken as they are.
 * Fails when the books don't balance.
 */
export async function runProcessor(
  processor: Processor,
  records: readonly (string | Buffer | ProcessingRecord)[],
  { groupSize = 100, stream, signal = new AbortController().signal }: RunOptions = {},
): Promise<ProcessorRun> {
  const accepted = records.map(acceptedRecord)
  const out: ProcessingRecord[] = []
  const failed: ProcessorRun['failed'][number][] = []
  const dropped: number[] = []
  const executions: Execution[] = []
  let made = 0
  let tableSchema: Json | undefined
  const job: ProcessingJob = {
    batch: {
      batchId: PROCESSING_BATCH_ID,
      streamId: PROCESSING_STREAM.streamId,
      recordCount: accepted.length,
      dataBytes: accepted.reduce((sum, { data }) => sum + data.byteLength, 0),
      storedBytes: 0,
      firstArrivalMs: accepted[0]?.arrivalMs ?? FIRST_ARRIVAL_MS,
      lastArrivalMs: accepted.at(-1)?.arrivalMs ?? FIRST_ARRIVAL_MS,
      sealedAtMs: FIRST_ARRIVAL_MS,
      sealReason: 'age',
    },
    stream: { ...PROCESSING_STREAM, ...stream },
    signal,
    fail: (record, failure) => void failed.push({ record: copied(record), failure }),
    drop: ({ ordinal }) => void dropped.push(ordinal),
    made: (count) => void (made += count),
    setTableSchema: (schema) => void (tableSchema = schema),
    observe: (execution) => void executions.push(execution),
  }
  for await (const group of processor.process(groupsOf(accepted, groupSize), job)) {
    for (const record of group) out.push(copied(record))
  }
  assert.equal(accepted.length + made, out.length + failed.length + dropped.length)
  return {
    out,
    failed,
    dropped,
    made,
    ...(tableSchema !== undefined && { tableSchema }),
    executions,
  }
}

function acceptedRecord(
  given: string | Buffer | ProcessingRecord,
  ordinal: number,
): ProcessingRecord {
  if (typeof given === 'object' && !Buffer.isBuffer(given)) return given
  const data = Buffer.from(given)
  return { ordinal, arrivalMs: FIRST_ARRIVAL_MS + ordinal, data, original: data }
}

async function* groupsOf(records: readonly ProcessingRecord[], groupSize: number): Records {
  const groups: ProcessingRecord[][] = []
  for (let from = 0; from < records.length; from += groupSize) {
    groups.push(records.slice(from, from + groupSize))
  }
  const memory = Buffer.alloc(Math.max(0, ...groups.map(memoryBytes)))
  for (const group of groups) {
    let end = 0
    const place = (bytes: Buffer): Buffer => {
      const placed = memory.subarray(end, end + bytes.copy(memory, end))
      end += bytes.byteLength
      return placed
    }
    try {
      yield group.map((record) => moved(record, place))
    } finally {
      memory.fill(POISON)
    }
  }
}

function memoryBytes(records: readonly ProcessingRecord[]): number {
  return records.reduce((sum, { data, original }) => sum + data.byteLength + original.byteLength, 0)
}

/** The record with its bytes elsewhere; data and original that were one stay one. */
function moved(record: ProcessingRecord, place: (bytes: Buffer) => Buffer): ProcessingRecord {
  const data = place(record.data)
  return {
    ...record,
    data,
    original: record.original === record.data ? data : place(record.original),
  }
}

function copied(record: ProcessingRecord): ProcessingRecord {
  return moved(record, (bytes) => Buffer.from(bytes))
}
