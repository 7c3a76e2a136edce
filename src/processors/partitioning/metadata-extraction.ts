/**
 * The processor MetadataExtraction: a jq query makes an object of each record, whose members are the
 * partition keys `partitionKeyFromQuery` (facts: dynamic partitioning). Their values are texts, numbers
 * as jq 1.6 prints them, or booleans; a record of which the query makes anything else goes to the error
 * output. A query that only picks values is evaluated here (jq-paths.ts); others go to jq, in calls of
 * many records.
 */
import type { Clock } from '../../base/clock.ts'
import { Copies } from '../../base/copies.ts'
import type { Json } from '../../base/json.ts'
import { isJsonObject } from '../../base/json.ts'
import { NO_PARTITION_KEYS } from '../../partition.ts'
import type { ProcessingJob, ProcessingRecord, Processor, Records } from '../../processor.ts'
import { inOrder } from '../lambda/in-order.ts'
import type { JqEngine, JqResult } from './jq-engine.ts'
import { jqNumber } from './jq-number.ts'
import { compilePaths } from './jq-paths.ts'
import type { PathQuery } from './jq-paths.ts'
import { NOT_JSON, recordText } from './json-record.ts'
import { extractionFailure } from './partition-failure.ts'

export interface MetadataExtractionOptions {
  readonly query: string
  readonly jq: JqEngine
  readonly clock: Clock
}

interface Extraction {
  readonly records: readonly ProcessingRecord[]
  /** One for each record. */
  readonly results: readonly JqResult[]
}

/** What goes to jq at once. */
const RECORDS_MAX = 2000
const DATA_BYTES_MAX = 4 * 1024 * 1024
/** One with jq, and the next one, so that jq doesn't wait for it. */
const OUTSTANDING_MAX = 2

export function metadataExtraction(options: MetadataExtractionOptions): Processor {
  const paths = compilePaths(options.query)
  return {
    process: (records, job) =>
      settle(paths ? pick(records, paths) : ask(records, job, options), job, options.clock),
  }
}

async function* settle(
  extractions: AsyncIterable<Extraction>,
  job: ProcessingJob,
  clock: Clock,
): Records {
  for await (const { records, results } of extractions) {
    const keyed: ProcessingRecord[] = []
    for (const [index, record] of records.entries()) {
      const { lambda } = record.keys ?? NO_PARTITION_KEYS
      const query = keysOf(results[index] ?? { error: NOT_JSON })
      if (typeof query === 'string') job.fail(record, extractionFailure(query, clock.nowMs()))
      else keyed.push({ ...record, keys: { query, lambda } })
    }
    if (keyed.length > 0) yield keyed
  }
}

async function* pick(records: Records, paths: PathQuery): AsyncGenerator<Extraction> {
  for await (const group of records) {
    yield { records: group, results: group.map(({ data }) => pickOne(data, paths)) }
  }
}

function pickOne(data: Buffer, paths: PathQuery): JqResult {
  let input: Json
  try {
    input = JSON.parse(recordText(data)) as Json
  } catch {
    return { error: NOT_JSON }
  }
  return paths(input)
}

function ask(
  records: Records,
  job: ProcessingJob,
  { query, jq }: MetadataExtractionOptions,
): AsyncIterable<Extraction> {
  return inOrder(gather(records), OUTSTANDING_MAX, job.signal, async (gathered, signal) => {
    const inputs = gathered.map(({ data }) => data)
    return { records: gathered, results: await jq.run(query, inputs, signal) }
  })
}

/** Groups of a size for jq, in memory of their own. */
async function* gather(records: Records): AsyncGenerator<readonly ProcessingRecord[]> {
  let gathered: ProcessingRecord[] = []
  let copies = new Copies()
  let dataBytes = 0
  for await (const group of records) {
    for (const record of group) {
      const isFull =
        gathered.length === RECORDS_MAX || dataBytes + record.data.byteLength > DATA_BYTES_MAX
      if (isFull && gathered.length > 0) {
        yield gathered
        gathered = []
        copies = new Copies()
        dataBytes = 0
      }
      gathered.push(copied(record, copies))
      dataBytes += record.data.byteLength
    }
  }
  if (gathered.length > 0) yield gathered
}

function copied(record: ProcessingRecord, copies: Copies): ProcessingRecord {
  const data = copies.copy(record.data)
  const original = record.original === record.data ? data : copies.copy(record.original)
  return { ...record, data, original }
}

/** The partition keys; or why there are none. */
function keysOf(result: JqResult): ReadonlyMap<string, string> | string {
  if ('error' in result) return result.error
  if (!isJsonObject(result.value)) return 'The MetadataExtractionQuery did not make an object'
  const keys = new Map<string, string>()
  for (const [name, value = null] of Object.entries(result.value)) {
    if (value === null || value === '') {
      return `partitionKeys values must not be null or empty: ${name}`
    }
    if (typeof value === 'object') {
      return `partitionKeys values must be strings, numbers or booleans: ${name}`
    }
    keys.set(name, typeof value === 'number' ? jqNumber(value) : String(value))
  }
  return keys
}
