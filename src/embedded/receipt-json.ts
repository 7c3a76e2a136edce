/**
 * A receipt as the catalog keeps it: JSON, as text while it is short. That of a batch with thousands of
 * partitions is a megabyte of names that are nearly alike, and is kept deflated.
 */
import { deflateSync, inflateSync } from 'node:zlib'
import type { Receipt } from '../receipt.ts'

const TEXT_LENGTH_MAX = 16 * 1024

export function encodeReceipt(receipt: Receipt): string | Uint8Array {
  const json = JSON.stringify(receipt)
  return json.length <= TEXT_LENGTH_MAX ? json : deflateSync(json, { level: 1 })
}

export function decodeReceipt(stored: unknown): Receipt {
  const json = stored instanceof Uint8Array ? inflateSync(stored).toString() : String(stored)
  return JSON.parse(json) as Receipt
}
