import { isOfProcessors } from '../../error-output.ts'
import type { ProcessingSummary } from '../../manifest.ts'
import type { Receipt, ReceiptOutput } from '../../receipt.ts'
import { encodeRecordId } from '../../record.ts'
import { RecordSet } from '../../record-set.ts'

export interface Whereabouts {
  readonly state: 'delivered' | 'dropped' | 'errored' | 'processed'
  /** Those that hold the record, or may hold it. */
  readonly outputs: readonly ReceiptOutput[]
  /** The id by which the destination knows it; undefined when that can't be told. */
  readonly recordId: string | undefined
}

/** Where an accepted record of a delivered batch is, as far as the receipt tells. */
export function whereabouts(receipt: Receipt, ordinal: number): Whereabouts {
  const { processing, outputs } = receipt
  if (processing === undefined) return place(receipt, ordinal)
  const copies = outputs.filter(({ accounting }) => accounting === 'copy')
  const nowhere = { recordId: undefined }
  if (holds(processing.dropped, ordinal)) return { state: 'dropped', outputs: copies, ...nowhere }
  if (holds(processing.failed, ordinal)) {
    return { state: 'errored', outputs: [...copies, ...outputs.filter(isOfProcessors)], ...nowhere }
  }
  if (processing.order === 'kept') return place(receipt, ordinal)
  const state = processing.order === 'lost' ? 'delivered' : 'processed'
  return { state, outputs, ...nowhere }
}

/** Whether the outputs' ranges tell of the record. */
export function isPlaced(processing: ProcessingSummary | undefined, ordinal: number): boolean {
  if (processing === undefined) return true
  const { order, dropped, failed } = processing
  return order === 'kept' && !holds(dropped, ordinal) && !holds(failed, ordinal)
}

function place(receipt: Receipt, ordinal: number): Whereabouts {
  const isRefused = receipt.outputs.some(({ refused }) => holds(refused, ordinal))
  const outputs = receipt.outputs.filter((output) => {
    const { accounting, range, refused } = output
    if (accounting === 'errored') return isRefused && !isOfProcessors(output)
    const isMeant = range === undefined || (ordinal >= range.from && ordinal < range.to)
    return isMeant && !holds(refused, ordinal)
  })
  const state = isRefused ? 'errored' : 'delivered'
  return { state, outputs, recordId: encodeRecordId(receipt.batchId, ordinal) }
}

export function holds(records: string | undefined, ordinal: number): boolean {
  return records !== undefined && RecordSet.parse(records).has(ordinal)
}
