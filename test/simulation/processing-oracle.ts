/**
 * What a function said of a record, in the run whose result was staged, is what became of it: it is at its
 * destination as that run left it, once, in its partition's object; or it was dropped and is nowhere; or
 * it is in the error output for the reason that the run gave. So no batch is a mixture of two runs.
 *
 * A function is called again for a batch only where there is a reason: its process died before the result
 * was staged, the disk or a bit of rot took it, or the stream was updated or braked meanwhile. While a
 * call takes long, the claim of its batch is in nobody's way.
 */
import type { BatchId } from '../../src/batch.ts'
import { safeValue } from '../../src/processors/partitioning/partition-value.ts'
import { PARTITIONS_MAX } from './engine.ts'
import type { Evidence } from './oracle.ts'
import { isOf } from './places.ts'
import type { Places } from './places.ts'
import type { Fate, Run } from './simulated-functions.ts'
import { isPartitioned } from './streams.ts'

const NO_KEY = 'DynamicPartitioning.MetadataExtractionFailed'
const TOO_MANY_KEYS = 'DynamicPartitioning.ActivePartitionsLimitExceeded'
const MALFORMED = 'RecordDeAggregation.MalformedJson'

export interface Settled {
  /** By the text that went to a function, in the run that came to be staged. */
  readonly fates: ReadonlyMap<string, Fate>
  readonly runs: ReadonlyMap<BatchId, Run>
}

/** The runs that counted. Where a crash leaves open which of several did, the one that fits best. */
export function settledRuns(evidence: Evidence, places: Places): Settled {
  const fates = new Map<string, Fate>()
  const runs = new Map<BatchId, Run>()
  for (const [batchId, candidates] of evidence.processings.staged()) {
    const receipt = evidence.database.receipts.get(batchId)
    // The stream's function was switched off meanwhile.
    if (receipt !== undefined && receipt.processing === undefined) continue
    const misfits = new Map(
      candidates.map((run) => [run, [...fateViolations(run, evidence, places)].length]),
    )
    const [run] = candidates.toSorted((a, b) => (misfits.get(a) ?? 0) - (misfits.get(b) ?? 0))
    if (run === undefined) continue
    runs.set(batchId, run)
    for (const [text, fate] of run.fates) fates.set(text, fate)
  }
  return { fates, runs }
}

export function* processingViolations(
  evidence: Evidence,
  places: Places,
  { runs, fates }: Settled,
): Generator<string> {
  for (const run of runs.values()) yield* fateViolations(run, evidence, places)
  for (const [text, records] of places.transformed) {
    for (const record of records) {
      if (record.text !== text && fates.get(text)?.kind !== 'ok')
        yield `${record.text} is in ${record.name}, which no run that counts has made`
    }
  }
  for (const [text, records] of places.failed) {
    for (const { name, line } of records) {
      if (!fates.has(text) && line.errorCode !== MALFORMED)
        yield `${text} is in ${name} for ${line.errorCode}, which no run that counts has said`
    }
  }
  yield* evidence.processings.violations
}

function* fateViolations(run: Run, evidence: Evidence, places: Places): Generator<string> {
  const { batchId, fates } = run
  const { database, unfinished, rotted } = evidence
  const mayBeMissing = rotted || unfinished.has(batchId)
  const partitioned = [...database.streams.values()].some(
    (stream) =>
      isPartitioned(stream) && [...fates.keys()].some((text) => isOf(stream.streamId, text)),
  )
  const partitions = new Set<string>()
  let isOverLimit = false
  for (const [text, fate] of fates) {
    const there = places.transformed.get(text) ?? []
    const failed = places.failed.get(text) ?? []
    const said = `${text} of batch ${batchId}, run ${run.number}`
    if (there.length + failed.length === 0) {
      if (fate.kind !== 'dropped' && !mayBeMissing) yield `${said} is nowhere, though ${fate.kind}`
      continue
    }
    for (const { name, line } of failed) {
      const reasons = reasonsFor(fate, partitioned)
      if (!reasons.includes(line.errorCode))
        yield `${said} is in ${name} for ${line.errorCode}, though ${JSON.stringify(fate)}`
      if (line.errorCode === TOO_MANY_KEYS) isOverLimit = true
    }
    for (const { name, text: found } of there) {
      if (fate.kind !== 'ok' || fate.text !== found)
        yield `${said} is in ${name} as ${found}, though ${JSON.stringify(fate)}`
      else if (partitioned) {
        const key = safeValue(fate.partitionKey ?? '')
        partitions.add(key ?? '')
        if (!name.includes(`/k=${key}/`)) yield `${said} is in ${name}, though its key is ${key}`
      }
    }
  }
  if (partitions.size > PARTITIONS_MAX) yield `batch ${batchId} has ${partitions.size} partitions`
  if (isOverLimit && partitions.size < PARTITIONS_MAX && !mayBeMissing)
    yield `batch ${batchId} has only ${partitions.size} partitions, and is said to have too many`
}

function reasonsFor(fate: Fate, partitioned: boolean): readonly string[] {
  if (fate.kind === 'failed') return [fate.errorCode]
  if (fate.kind === 'dropped' || !partitioned) return []
  return fate.partitionKey === undefined ? [NO_KEY] : [TOO_MANY_KEYS]
}
