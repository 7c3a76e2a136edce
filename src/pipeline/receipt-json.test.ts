import { expect, test } from 'vitest'
import type { Receipt } from '../receipt.ts'
import { decodeReceipt, encodeReceipt } from './receipt-json.ts'

function receiptWith(outputCount: number): Receipt {
  const outputs = Array.from({ length: outputCount }, (_, index) => ({
    kind: 's3',
    target: { bucket: 'logs', key: `customer=${index}/2026/11/21/19/logs-1-2026-11-21-19-20-00` },
    accounting: 'delivered',
    recordCount: 1,
    attempts: 1,
    sizeBytes: 10,
  }))
  return { batchId: 'B', outputs } as Partial<Receipt> as Receipt
}

test('a short receipt is text that anybody reads', () => {
  const receipt = receiptWith(1)
  expect(encodeReceipt(receipt)).toBe(JSON.stringify(receipt))
  expect(decodeReceipt(encodeReceipt(receipt))).toEqual(receipt)
})

test('a short receipt may come back as the bytes of its text', () => {
  const receipt = receiptWith(1)
  expect(decodeReceipt(Buffer.from(encodeReceipt(receipt)))).toEqual(receipt)
})

test('one of thousands of outputs takes a fraction of its text', () => {
  const receipt = receiptWith(5_000)
  const stored = encodeReceipt(receipt)
  expect(stored.length * 5).toBeLessThan(JSON.stringify(receipt).length)
  expect(decodeReceipt(stored)).toEqual(receipt)
})
