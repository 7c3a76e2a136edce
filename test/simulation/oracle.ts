/**
 * What must be true at the end of every simulation, when all faults are over and all is delivered:
 *
 * 1. An acknowledged record is at the destination or in the error output, once. Where bits rotted it
 *    may be missing, if its batch's receipt counts it as quarantined. Copies of it there is one, where
 *    its stream keeps copies.
 * 2. A record whose put failed, or was cut short by a crash, is there at most once. One that was
 *    refused for want of room is not there, nor one that failed in a process that then ended well.
 * 3. Nothing is there that nobody sent.
 * 4. The books balance, and say what really is there, column by column.
 * 5. The record id of an acknowledged record leads to a receipt, and that to the place where the
 *    record is.
 * 6. Nobody tried to write other bytes under a name that was written. (Where bits rotted, a late
 *    request from before may.)
 * 7. A record is in the error output for a reason that its destination gave (error-oracle.ts).
 * 8. A request to an at-least-once destination is the same on every repeat, and is repeated only where
 *    its answer was lost (repeat-oracle.ts).
 * 9. What functions said is what became of their records (processing-oracle.ts). One that was dropped
 *    is nowhere. Where a record is taken apart, all this holds for its parts.
 * 10. Nothing is left on disk, but the batches that wait for an operator because what was staged of them
 *    rotted when it was frozen already. They are there still, as they were accepted.
 */
import { strict as assert } from 'node:assert'
import type { Appended } from '../../src/batch-store.ts'
import type { BatchId, SealedBatch } from '../../src/batch.ts'
import { EMPTY_BOOKS } from '../../src/receipt.ts'
import { errorViolations } from './error-oracle.ts'
import type { Outside } from './places.ts'
import { isOf, partsOf, Places } from './places.ts'
import { processingViolations, settledRuns } from './processing-oracle.ts'
import type { Settled } from './processing-oracle.ts'
import type { Processings } from './processings.ts'
import { receiptViolations } from './receipt-oracle.ts'
import { repeatViolations } from './repeat-oracle.ts'
import type { SimulatedDatabase } from './simulated-catalog.ts'
import type { Refusals, SimulatedConfiguration } from './simulated-destinations.ts'

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

export interface Evidence extends Outside {
  readonly puts: readonly Put[]
  readonly database: SimulatedDatabase
  readonly refusals: Refusals
  readonly processings: Processings
  readonly streamIds: readonly string[]
  /** Paths of batch files that were left behind. */
  readonly leftovers: readonly string[]
  /** Batches that wait for an operator, for what was staged of them is damaged; with their streams. */
  readonly unfinished: ReadonlyMap<BatchId, SealedBatch>
  readonly rotted: boolean
}

const VIOLATIONS_MAX = 12

/** In words, each breach of the above; empty when there is none. */
export function violationsIn(evidence: Evidence): string[] {
  const places = new Places(evidence)
  const settled = settledRuns(evidence, places)
  const found = [
    ...recordViolations(evidence, places, settled),
    ...copyViolations(evidence, places),
    ...bookViolations(evidence, places, settled),
    ...processingViolations(evidence, places, settled),
    ...(evidence.rotted
      ? []
      : [
          ...receiptViolations(evidence, settled),
          ...evidence.buckets.conflicts.map((name) => `other bytes were put under ${name}`),
        ]),
    ...errorViolations(evidence, places),
    ...repeatViolations(evidence),
    ...leftoverViolations(evidence),
  ]
  return found.slice(0, VIOLATIONS_MAX)
}

/** 1, 2 and 3. */
function* recordViolations(
  { puts, database, rotted, unfinished }: Evidence,
  { delivered, refused }: Places,
  { fates }: Settled,
): Generator<string> {
  const unsent = new Set([...delivered.keys(), ...refused.keys()])
  const missing = new Map<BatchId, number>()
  for (const put of puts) {
    for (const record of put.records) {
      let isMissing = false
      for (const part of partsOf(record)) {
        const names = [...(delivered.get(part) ?? []), ...(refused.get(part) ?? [])]
        unsent.delete(part)
        if (names.length > 1) yield `${put.answer} record ${part} is doubled: ${names.join()}`
        if (names.length > 0 && mustBeAbsent(put)) yield `${put.answer} record ${part} is delivered`
        if (names.length === 0 && fates.get(part)?.kind !== 'dropped') isMissing = true
      }
      if (!isMissing || put.answer !== 'acknowledged') continue
      assert(put.appended !== undefined)
      const { batchId } = put.appended
      if (unfinished.has(batchId)) continue
      missing.set(batchId, (missing.get(batchId) ?? 0) + 1)
      if (!rotted) yield `acknowledged record ${record} of batch ${batchId} is lost`
    }
  }
  for (const [batchId, count] of missing) {
    const quarantined = database.receipts.get(batchId)?.quarantinedCount ?? 0
    if (count > quarantined)
      yield `batch ${batchId} lacks ${count} records, ${quarantined} are quarantined`
  }
  for (const record of unsent) yield `nobody sent ${record}`
}

function mustBeAbsent({ answer, mayLinger }: Put): boolean {
  return (answer === 'full' || answer === 'failed') && !mayLinger
}

/** The rest of 1. */
function* copyViolations(
  { puts, database, rotted }: Evidence,
  { copied }: Places,
): Generator<string> {
  for (const { streamId, records, answer } of puts) {
    const { destination } = database.streams.get(streamId) ?? {}
    const { S3BackupMode = '' } = destination as Partial<SimulatedConfiguration>
    const isCopied = S3BackupMode === 'All' || S3BackupMode === 'Enabled'
    for (const record of records.flatMap(partsOf)) {
      const names = copied.get(record) ?? []
      if (names.length > 1) yield `the copy of ${record} is doubled: ${names.join()}`
      const mustBeThere = isCopied && answer === 'acknowledged' && !rotted
      if (mustBeThere && names.length === 0) yield `the copy of ${record} is lost`
    }
  }
}

/** 4. */
function* bookViolations(
  { streamIds, database, puts, rotted, unfinished }: Evidence,
  { delivered, refused }: Places,
  { fates }: Settled,
): Generator<string> {
  const countOf = (streamId: string, texts: Iterable<string>): number =>
    [...texts].filter((text) => isOf(streamId, text)).length
  const droppedTexts = [...fates].flatMap(([text, { kind }]) => (kind === 'dropped' ? [text] : []))
  for (const streamId of streamIds) {
    const books = database.books.get(streamId) ?? EMPTY_BOOKS
    const { accepted, made, dropped, quarantined } = books
    const text = JSON.stringify(books)
    const waiting = [...unfinished.values()].filter((batch) => batch.streamId === streamId)
    const pending = waiting.reduce((sum, { recordCount }) => sum + recordCount, 0)
    if (accepted + made !== books.delivered + dropped + books.errored + quarantined + pending)
      yield `books of ${streamId} do not balance: ${text}, ${pending} pending`
    const acknowledged = puts
      .filter((put) => put.streamId === streamId && put.answer === 'acknowledged')
      .reduce((sum, put) => sum + put.records.length, 0)
    if (accepted < acknowledged) yield `${streamId} acknowledged ${acknowledged}: ${text}`
    const there = countOf(streamId, delivered.keys())
    const failed = countOf(streamId, refused.keys())
    // A chunk that went bad after its records were written is there and in quarantine.
    const isTooMuch = waiting.length === 0 && there + failed > accepted + made
    const isWrong = rotted
      ? there < books.delivered || failed < books.errored || isTooMuch
      : there !== books.delivered || failed !== books.errored
    if (isWrong)
      yield `of ${streamId}, ${there} are at the destination, ${failed} in the error output: ${text}`
    const droppedCount = countOf(streamId, droppedTexts)
    if (droppedCount !== dropped && !rotted)
      yield `of ${streamId}, ${droppedCount} were dropped: ${text}`
    if (!rotted && quarantined > 0) yield `${streamId} has sound records in quarantine: ${text}`
  }
}

/** 10. */
function* leftoverViolations({ leftovers, unfinished }: Evidence): Generator<string> {
  const isUnfinished = (path: string): boolean =>
    [...unfinished.keys()].some((batchId) => path.includes(batchId))
  for (const path of leftovers) if (!isUnfinished(path)) yield `${path} is left on disk`
  for (const batchId of unfinished.keys()) {
    if (!leftovers.some((path) => path.endsWith(`${batchId}.batch`)))
      yield `batch ${batchId} waits for an operator and is not there`
    if (!leftovers.some((path) => path.endsWith(`${batchId}.manifest`)))
      yield `batch ${batchId} waits for an operator though nothing was frozen`
  }
}
