/** The record id of an acknowledged record leads to a receipt, and that to where the record is. */
import { strict as assert } from 'node:assert'
import type { Receipt, ReceiptOutput } from '../../src/receipt.ts'
import { encodeRecordId } from '../../src/record.ts'
import { RecordSet } from '../../src/record-set.ts'
import type { Evidence } from './oracle.ts'
import { linesOf } from './places.ts'
import { DOCUMENTS, REQUEST } from './simulated-destinations.ts'

export function* receiptViolations(evidence: Evidence): Generator<string> {
  for (const { appended, records, answer } of evidence.puts) {
    if (answer !== 'acknowledged') continue
    assert(appended !== undefined)
    const { batchId, firstOrdinal } = appended
    const receipt = evidence.database.receipts.get(batchId)
    if (receipt === undefined) {
      yield `batch ${batchId} has no receipt`
      continue
    }
    for (const [index, record] of records.entries()) {
      const ordinal = firstOrdinal + index
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

/** Whether the receipt says that the record is there, copies aside. */
function isMeantFor(
  { accounting, range, refused }: ReceiptOutput,
  ordinal: number,
  { outputs }: Receipt,
): boolean {
  const isRefusedBy = (set: string | undefined): boolean =>
    set !== undefined && RecordSet.parse(set).has(ordinal)
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
  { receipt: { batchId }, ordinal, record }: Sought,
  { buckets, index, endpoint }: Evidence,
): boolean {
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
  if (kind === 's3') return lines[ordinal] === record
  const rawData = Buffer.from(record, 'latin1').toString('base64')
  return lines.some((line) => line.includes(`"rawData":"${rawData}"`))
}

/** Each record is counted once, copies aside; and no output counts more than was meant for it. */
function* countViolations(receipt: Receipt): Generator<string> {
  const { batchId, recordCount, quarantinedCount } = receipt
  const outputs = receipt.outputs.filter(({ accounting }) => accounting !== 'copy')
  const counted = outputs.reduce((sum, output) => sum + output.recordCount, quarantinedCount)
  if (counted !== recordCount) yield `receipt of ${batchId} counts ${counted} of ${recordCount}`
  for (const { recordCount: count, range, refused } of outputs) {
    const { from, to } = range ?? { from: 0, to: recordCount }
    const refusedCount = refused === undefined ? 0 : RecordSet.parse(refused).size
    if (count > to - from - refusedCount)
      yield `receipt of ${batchId} counts ${count} of ${to - from} less ${refusedCount}`
  }
}
