/**
 * A receipt as the catalog keeps it: JSON, as text while it is short. That of a batch with thousands of
 * partitions is a megabyte of names that are nearly alike, and is kept deflated.
 */
import { deflateSync, inflateSync } from 'node:zlib'
import type { Receipt } from '../receipt.ts'

const TEXT_LENGTH_MAX = 16 * 1024
const OPENING_BRACE = 0x7b

export function encodeReceipt(receipt: Receipt): string | Uint8Array {
  const json = JSON.stringify(receipt)
  return json.length <= TEXT_LENGTH_MAX ? json : deflateSync(json, { level: 1 })
}

/** Takes text in a buffer, too, as a catalog may give it back that knows bytes only. */
export function decodeReceipt(stored: unknown): Receipt {
  const isDeflated = stored instanceof Uint8Array && stored[0] !== OPENING_BRACE
  const json = isDeflated ? inflateSync(stored) : stored
  return JSON.parse(String(json)) as Receipt
}
