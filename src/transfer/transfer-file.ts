/**
 * The file in which everything moves from one backend to another.
 *
 *   file:   "standpipe transfer 2\n" | one zstd frame of:  part × n
 *   part:   headBytes u32 | payloadBytes u32 | CRC32 u32 | head | payload
 *
 * - Numbers are little-endian; the checksum is over the two sizes, the head and the payload.
 * - The head is a JSON object whose `kind` says what it is (Part). The payload is empty but where it says so.
 * - Streams come first, each followed by pages of its receipts, of replayed parts, and of how far its
 *   source is read. Then come batches:
 *
 *     ( stream receipts* replays* positions* )*  ( batch chunk* ( block* index )? manifest? )*  end
 *
 *   A batch's chunks are in its order, without gaps between their ordinals; blocks and index are what is
 *   staged of it. A file without `end` is cut short.
 * - A file of version 1 has no positions, and no chunk of it has metadata; else it is the same.
 * - A stream's books hold what is settled: what is pending is accepted anew with the batches.
 * - Records are not encrypted.
 */
import { crc32 } from 'node:zlib'
import type { SealedBatch } from '../batch.ts'
import type { PartitionPosition } from '../chunk-origin.ts'
import type { KnownReplayedPart } from '../catalog.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { Manifest } from '../manifest.ts'
import type { Books, Receipt } from '../receipt.ts'
import type { ByteReader } from '../formats/byte-reader.ts'

const MAGIC_WORDS = 'standpipe transfer'
export const MAGIC = magicOf(2)
const READABLE = [MAGIC, magicOf(1)]

const SIZES_BYTES = 8
const PART_HEADER_BYTES = 12
/** No part is larger; sizes beyond it come of damage. */
const PART_BYTES_MAX = 1024 ** 3

/** A file that is not as it was written, or none of ours. */
export class TransferDamaged extends Error {
  override readonly name = 'TransferDamaged'
}

/** Of a batch, what is the same wherever it is. */
export type BatchFacts = Pick<
  SealedBatch,
  | 'batchId'
  | 'streamId'
  | 'recordCount'
  | 'dataBytes'
  | 'firstArrivalMs'
  | 'lastArrivalMs'
  | 'sealReason'
>

/** Of what is in a file. */
export interface TransferCounts {
  readonly streamCount: number
  readonly receiptCount: number
  readonly replayCount: number
  readonly positionCount: number
  readonly batchCount: number
  readonly recordCount: number
  readonly dataBytes: number
}

/** To be counted up. */
export function noCounts(): { -readonly [Name in keyof TransferCounts]: number } {
  return {
    streamCount: 0,
    receiptCount: 0,
    replayCount: 0,
    positionCount: 0,
    batchCount: 0,
    recordCount: 0,
    dataBytes: 0,
  }
}

export type Part =
  | { readonly kind: 'stream'; readonly stream: DeliveryStream; readonly books: Books }
  | { readonly kind: 'receipts'; readonly receipts: readonly Receipt[] }
  | { readonly kind: 'replays'; readonly parts: readonly KnownReplayedPart[] }
  | { readonly kind: 'positions'; readonly positions: readonly PartitionPosition[] }
  | { readonly kind: 'batch'; readonly batch: BatchFacts }
  | (Payload & {
      readonly kind: 'chunk'
      readonly arrivalMs: number
      readonly recordCount: number
      readonly metadataBytes?: number
    })
  | (Payload & { readonly kind: 'block' })
  | (Payload & { readonly kind: 'index' })
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  | { readonly kind: 'end'; readonly counts: TransferCounts }

interface Payload {
  readonly payload: Buffer
}

export type PartKind = Part['kind']
export type PartOf<Kind extends PartKind> = Extract<Part, { kind: Kind }>

const NOTHING = Buffer.alloc(0)

/** The bytes of a part, in pieces of which the last may be its payload's own memory. */
export function encodePart(part: Part): readonly Buffer[] {
  const { payload, ...facts } = { payload: NOTHING, ...part }
  const head = Buffer.from(JSON.stringify(facts))
  const header = Buffer.alloc(PART_HEADER_BYTES)
  header.writeUInt32LE(head.byteLength, 0)
  header.writeUInt32LE(payload.byteLength, 4)
  header.writeUInt32LE(checksum(header, head, payload), SIZES_BYTES)
  return [header, head, payload]
}

/**
 * The next part; undefined at the end of the bytes.
 * @throws TransferDamaged
 */
export async function readPart(bytes: ByteReader): Promise<Part | undefined> {
  const header = await bytes.take(PART_HEADER_BYTES)
  if (header === undefined) return undefined
  const headBytes = header.readUInt32LE(0)
  const payloadBytes = header.readUInt32LE(4)
  if (headBytes + payloadBytes > PART_BYTES_MAX) throw new TransferDamaged('a part is too long')
  const content = await bytes.need(headBytes + payloadBytes)
  const head = content.subarray(0, headBytes)
  const payload = content.subarray(headBytes)
  if (checksum(header, head, payload) !== header.readUInt32LE(SIZES_BYTES)) {
    throw new TransferDamaged('a checksum is wrong')
  }
  return { payload, ...(JSON.parse(head.toString()) as object) } as Part
}

/** Whether the first bytes of a file are those of a transfer, of a version that can be read. */
export function checkMagic(bytes: Buffer | undefined): void {
  if (READABLE.some((magic) => bytes?.equals(magic) === true)) return
  const isOther = bytes?.toString('latin1').startsWith(MAGIC_WORDS) === true
  throw new TransferDamaged(
    isOther ? 'it was written by another version' : 'it is no export of Standpipe',
  )
}

function magicOf(version: number): Buffer {
  return Buffer.from(`${MAGIC_WORDS} ${version}\n`)
}

export function batchFacts(batch: SealedBatch): BatchFacts {
  const { batchId, streamId, recordCount, dataBytes } = batch
  const { firstArrivalMs, lastArrivalMs, sealReason } = batch
  return {
    batchId,
    streamId,
    recordCount,
    dataBytes,
    firstArrivalMs,
    lastArrivalMs,
    sealReason,
  }
}

function checksum(header: Buffer, head: Buffer, payload: Buffer): number {
  return crc32(payload, crc32(head, crc32(header.subarray(0, SIZES_BYTES))))
}
