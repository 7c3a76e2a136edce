/**
 * What must be true at the end of every simulation, when all faults are over and all is delivered:
 *
 * 1. An acknowledged record is at the destination once. Where bits rotted it may be missing, if its
 *    batch's receipt counts it as quarantined.
 * 2. A record whose put failed, or was cut short by a crash, is there at most once. One that was
 *    refused for want of room is not there, nor one that failed in a process that then ended well.
 * 3. Nothing is there that nobody sent.
 * 4. The books balance, and say what really is there.
 * 5. The record id of an acknowledged record leads to a receipt, and that to the object and the
 *    place in it where the record is.
 * 6. Nobody tried to write other bytes under a name that was written. (Where bits rotted, a late
 *    request from before may.)
 * 7. Nothing is left on disk.
 */
import { strict as assert } from 'node:assert'
import type { Appended } from '../../src/batch-store.ts'
import type { BatchId } from '../../src/batch.ts'
import type { Receipt } from '../../src/receipt.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'
import type { SimulatedDatabase } from './simulated-catalog.ts'
import type { SimulatedBuckets } from './simulated-object-store.ts'

export interface Put {
  readonly streamId: string
  /** The text of each record; unique. */
  readonly records: readonly string[]
  /** `cut short`: its process died before it had answered. */
  answer: 'acknowledged' | 'full' | 'failed' | 'cut short'
  /** Present when acknowledged. */
  appended?: Appended
  /** The disk of its time may have refused to take back what it had written of a failed put. */
  mayLinger: boolean
}

export interface Evidence {
  readonly puts: readonly Put[]
  readonly database: SimulatedDatabase
  readonly buckets: SimulatedBuckets
  readonly streamIds: readonly string[]
  /** Paths of batch files that were left behind. */
  readonly leftovers: readonly string[]
  readonly rotted: boolean
}

const VIOLATIONS_MAX = 12

/** In words, each breach of the above; empty when there is none. */
export function violationsIn(evidence: Evidence): string[] {
  const found = [
    ...recordViolations(evidence),
    ...bookViolations(evidence),
    ...receiptViolations(evidence),
    ...(evidence.rotted
      ? []
      : evidence.buckets.conflicts.map((name) => `other bytes were put under ${name}`)),
    ...evidence.leftovers.map((path) => `${path} is left on disk`),
  ]
  return found.slice(0, VIOLATIONS_MAX)
}

/** 1, 2 and 3. */
function* recordViolations({ puts, buckets, database, rotted }: Evidence): Generator<string> {
  const places = placesOf(buckets)
  const missing = new Map<BatchId, number>()
  for (const put of puts) {
    for (const record of put.records) {
      const names = places.get(record) ?? []
      places.delete(record)
      if (names.length > 1) yield `${put.answer} record ${record} is doubled: ${names.join()}`
      if (names.length > 0 && mustBeAbsent(put)) yield `${put.answer} record ${record} is delivered`
      if (names.length > 0 || put.answer !== 'acknowledged') continue
      assert(put.appended !== undefined)
      const { batchId } = put.appended
      missing.set(batchId, (missing.get(batchId) ?? 0) + 1)
      if (!rotted) yield `acknowledged record ${record} of batch ${batchId} is lost`
    }
  }
  for (const [batchId, count] of missing) {
    const quarantined = database.receipts.get(batchId)?.quarantinedCount ?? 0
    if (count > quarantined)
      yield `batch ${batchId} lacks ${count} records, ${quarantined} are quarantined`
  }
  for (const [record, names] of places) yield `nobody sent ${record}, in ${names.join()}`
}

function mustBeAbsent({ answer, mayLinger }: Put): boolean {
  return (answer === 'full' || answer === 'failed') && !mayLinger
}

/** 4. */
function* bookViolations({
  streamIds,
  database,
  buckets,
  puts,
  rotted,
}: Evidence): Generator<string> {
  for (const streamId of streamIds) {
    const books = database.books.get(streamId) ?? EMPTY_BOOKS
    const { accepted, delivered, dropped, errored, quarantined } = books
    const text = JSON.stringify(books)
    if (accepted !== delivered + dropped + errored + quarantined)
      yield `books of ${streamId} do not balance: ${text}`
    const acknowledged = puts
      .filter((put) => put.streamId === streamId && put.answer === 'acknowledged')
      .reduce((sum, put) => sum + put.records.length, 0)
    if (accepted < acknowledged) yield `${streamId} acknowledged ${acknowledged}: ${text}`
    const there = [...buckets.objects]
      .filter(([name]) => name.startsWith(`${streamId}/`))
      .reduce((sum, [, bytes]) => sum + linesOf(bytes).length, 0)
    // A chunk that went bad after its object was written is in the object and in quarantine.
    if (rotted ? there < delivered || there > accepted : there !== delivered)
      yield `${there} records of ${streamId} are at the destination: ${text}`
    if (!rotted && quarantined > 0) yield `${streamId} has sound records in quarantine: ${text}`
  }
}

/** 5. */
function* receiptViolations({ puts, database, buckets, rotted }: Evidence): Generator<string> {
  for (const { appended, records, answer } of puts) {
    if (answer !== 'acknowledged') continue
    assert(appended !== undefined)
    const { batchId, firstOrdinal } = appended
    const receipt = database.receipts.get(batchId)
    if (receipt === undefined) {
      yield `batch ${batchId} has no receipt`
      continue
    }
    if (rotted) continue
    const lines = receipt.outputs.flatMap((output) => linesAt(output.target, buckets))
    if (lines.length !== receipt.recordCount)
      yield `receipt of ${batchId} counts ${receipt.recordCount} of ${lines.length} records`
    const found = lines.slice(firstOrdinal, firstOrdinal + records.length)
    if (found.join() !== records.join())
      yield `at ordinal ${firstOrdinal} of ${batchId} is ${found.join()} for ${records.join()}`
  }
}

function linesAt(
  target: Receipt['outputs'][number]['target'],
  buckets: SimulatedBuckets,
): string[] {
  const { bucket, key } = target as { bucket: string; key: string }
  return linesOf(buckets.objects.get(`${bucket}/${key}`) ?? Buffer.alloc(0))
}

function placesOf({ objects }: SimulatedBuckets): Map<string, string[]> {
  const places = new Map<string, string[]>()
  for (const [name, bytes] of objects) {
    for (const record of linesOf(bytes)) {
      const names = places.get(record)
      if (names === undefined) places.set(record, [name])
      else names.push(name)
    }
  }
  return places
}

function linesOf(bytes: Buffer): string[] {
  return bytes.byteLength === 0 ? [] : bytes.toString('latin1').split('\n')
}
