/** The record id of an acknowledged record leads to a receipt, and that to where the record is. */
import { strict as assert } from 'node:assert'
import type { Receipt, ReceiptOutput } from '../../src/receipt.ts'
import { encodeRecordId } from '../../src/record.ts'
import { RecordSet } from '../../src/record-set.ts'
import { ERROR_OUTPUT_KIND } from '../../src/error-output.ts'
import type { Evidence } from './oracle.ts'
import { linesOf } from './places.ts'
import type { Settled } from './processing-oracle.ts'
import { DOCUMENTS, REQUEST } from './simulated-destinations.ts'

export function* receiptViolations(evidence: Evidence, { fates }: Settled): Generator<string> {
  for (const { appended, records, answer } of evidence.puts) {
    if (answer !== 'acknowledged') continue
    assert(appended !== undefined)
    const { batchId, firstOrdinal } = appended
    const receipt = evidence.database.receipts.get(batchId)
    if (receipt === undefined) {
      yield `batch ${batchId} has no receipt`
      continue
    }
    const { processing } = receipt
    // Of a single record that was taken apart a receipt tells nothing.
    const told = processing?.order === 'split' ? [] : records
    for (const [index, accepted] of told.entries()) {
      const ordinal = firstOrdinal + index
      const fate = fates.get(accepted)
      const isDropped = isIn(processing?.dropped, ordinal)
      const isFailed = isIn(processing?.failed, ordinal)
      const says = `receipt of ${batchId} says of ordinal ${ordinal}, which is ${fate?.kind},`
      if (isDropped !== (fate?.kind === 'dropped')) yield `${says} that it is dropped: ${isDropped}`
      if (fate?.kind === 'failed' && !isFailed) yield `${says} that it failed: ${isFailed}`
      if (isDropped) continue
      const record = fate?.kind === 'ok' && !isFailed ? fate.text : accepted
      if (isFailed || processing?.order === 'lost') {
        const isThere = receipt.outputs.some(
          (output) =>
            isOfProcessing(output) === isFailed &&
            holds(output, { receipt, ordinal, record }, evidence),
        )
        if (!isThere)
          yield `ordinal ${ordinal} of ${batchId} is in no output of its receipt: ${record}`
        continue
      }
      const outputs = receipt.outputs.filter((output) => isMeantFor(output, ordinal, receipt))
      if (outputs.length !== 1)
        yield `receipt of ${batchId} leads to ${outputs.length} places of ordinal ${ordinal}`
      for (const output of outputs) {
        if (holds(output, { receipt, ordinal, record }, evidence)) continue
        const where = JSON.stringify(output.target)
        yield `ordinal ${ordinal} of ${batchId} is not in ${output.kind} ${where}: ${record}`
      }
    }
    yield* countViolations(receipt)
  }
}

function isIn(set: string | undefined, ordinal: number): boolean {
  return set !== undefined && RecordSet.parse(set).has(ordinal)
}

/** Whether it holds what processors failed. */
function isOfProcessing({ kind, accounting }: Pick<ReceiptOutput, 'kind' | 'accounting'>): boolean {
  return accounting === 'errored' && kind !== ERROR_OUTPUT_KIND
}

/** Whether the receipt says that the record is there, copies aside. */
function isMeantFor(
  { kind, accounting, range, refused }: ReceiptOutput,
  ordinal: number,
  { outputs }: Receipt,
): boolean {
  const isRefusedBy = (set: string | undefined): boolean => isIn(set, ordinal)
  if (isOfProcessing({ kind, accounting })) return false
  if (accounting === 'errored') return outputs.some((output) => isRefusedBy(output.refused))
  if (accounting === 'copy' || isRefusedBy(refused)) return false
  return range === undefined || (ordinal >= range.from && ordinal < range.to)
}

interface Sought {
  readonly receipt: Receipt
  readonly ordinal: number
  readonly record: string
}

function holds(
  { kind, target }: ReceiptOutput,
  { receipt, ordinal, record }: Sought,
  { buckets, index, endpoint }: Evidence,
): boolean {
  const { batchId } = receipt
  const place = target as Readonly<Record<string, string>>
  if (kind === DOCUMENTS) {
    return index.documents.get(`${place.index}/${encodeRecordId(batchId, ordinal)}`) === record
  }
  if (kind === REQUEST) {
    return endpoint.sendings.some(
      ({ requestId, taken, body }) =>
        taken && requestId === place.requestId && body.split('\n').includes(record),
    )
  }
  const lines = linesOf(buckets.objects.get(`${place.bucket}/${place.key}`) ?? Buffer.alloc(0))
  if (kind === 's3') {
    // Whoever is gone leaves no line.
    return receipt.processing === undefined ? lines[ordinal] === record : lines.includes(record)
  }
  const rawData = Buffer.from(record, 'latin1').toString('base64')
  return lines.some((line) => line.includes(`"rawData":"${rawData}"`))
}

/** Each record is counted once, copies aside; and no output counts more than was meant for it. */
function* countViolations(receipt: Receipt): Generator<string> {
  const { batchId, recordCount, quarantinedCount, droppedCount, madeCount = 0 } = receipt
  const outputs = receipt.outputs.filter(({ accounting }) => accounting !== 'copy')
  const notThere = quarantinedCount + droppedCount
  const counted = outputs.reduce((sum, output) => sum + output.recordCount, notThere)
  const count = recordCount + madeCount
  if (counted !== count) yield `receipt of ${batchId} counts ${counted} of ${count}`
  for (const { recordCount: there, range, refused } of outputs) {
    const { from, to } = range ?? { from: 0, to: count }
    const refusedCount = refused === undefined ? 0 : RecordSet.parse(refused).size
    if (there > to - from - refusedCount)
      yield `receipt of ${batchId} counts ${there} of ${to - from} less ${refusedCount}`
  }
}
