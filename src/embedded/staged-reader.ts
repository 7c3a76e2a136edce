import { crc32 } from 'node:zlib'
import type { BufferPool } from '../base/buffer-pool.ts'
import type { BatchId } from '../batch.ts'
import { StagingDamaged } from '../staging.ts'
import type { StagedBatch } from '../staging.ts'
import type { BatchCipher } from './batch-cipher.ts'
import type { OpenFile } from './file-system.ts'
import {
  BlockTable,
  decodeStagedHeader,
  decodeTrailer,
  placeOf,
  STAGED_HEADER_BYTES,
  STAGED_TRAILER_BYTES,
  stagedSeed,
  TABLE_ENTRY_BYTES,
} from './staged-file.ts'
import type { StagedHeader } from './staged-file.ts'

/** A staged file as it lies there: verified, and not decrypted. */
export interface StagedLayout {
  readonly header: StagedHeader
  readonly index: Buffer
  readonly indexOffset: number
  readonly table: BlockTable
  readonly seed: number
}

/** @throws StagingDamaged when the file is not a whole staged file of batch `batchId` */
export async function readLayout(file: OpenFile, batchId: BatchId): Promise<StagedLayout> {
  const sizeBytes = await file.sizeBytes()
  const header = decodeStagedHeader(await readAt(file, 0, STAGED_HEADER_BYTES), batchId)
  if (header === undefined) throw damaged(batchId, 'its header')
  const seed = stagedSeed(batchId, Buffer.from(header.salt, 'hex'))
  const trailerOffset = Math.max(sizeBytes - STAGED_TRAILER_BYTES, STAGED_HEADER_BYTES)
  const trailer = decodeTrailer(await readAt(file, trailerOffset, STAGED_TRAILER_BYTES), seed)
  if (trailer === undefined) throw damaged(batchId, 'its trailer')
  const { indexOffset, indexBytes, blockCount } = trailer
  const tableBytes = blockCount * TABLE_ENTRY_BYTES
  if (indexOffset + indexBytes + tableBytes !== trailerOffset) throw damaged(batchId, 'its size')
  const bytes = await readAt(file, indexOffset, indexBytes + tableBytes)
  const index = bytes.subarray(0, indexBytes)
  const table = bytes.subarray(indexBytes)
  if (crc32(index, seed) !== trailer.indexChecksum) throw damaged(batchId, 'its index')
  if (crc32(table, seed) !== trailer.tableChecksum) throw damaged(batchId, 'its block table')
  return { header, index, indexOffset, table: new BlockTable(table), seed }
}

/**
 * A block as it lies in the file.
 * @throws StagingDamaged
 */
export async function readBlock(
  file: OpenFile,
  { header, table, seed }: StagedLayout,
  block: number,
  memory?: BufferPool,
): Promise<Buffer> {
  const { offset, sizeBytes, checksum } = table.get(block)
  const bytes = await readAt(file, offset, sizeBytes, memory)
  const isWhole = bytes.byteLength === sizeBytes && crc32(bytes, seed) === checksum
  if (!isWhole) throw damaged(header.batchId, `block ${block}`)
  return bytes
}

/** Reads and decrypts; `close` closes the file. */
export class StagedFile implements StagedBatch {
  readonly index: Buffer
  readonly #file: OpenFile
  readonly #layout: StagedLayout
  readonly #cipher: BatchCipher | undefined

  /** @throws StagingDamaged when the index does not decrypt */
  constructor(file: OpenFile, layout: StagedLayout, cipher: BatchCipher | undefined) {
    this.#file = file
    this.#layout = layout
    this.#cipher = cipher
    this.index = this.#unseal(layout.index, 'index')
  }

  get blockCount(): number {
    return this.#layout.table.count
  }

  async read(block: number, memory?: BufferPool): Promise<Buffer> {
    const stored = await readBlock(this.#file, this.#layout, block, memory)
    const plain = this.#unseal(stored, block)
    if (plain !== stored) memory?.give(stored)
    return plain
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #unseal(stored: Buffer, place: number | 'index'): Buffer {
    if (this.#cipher === undefined) return stored
    try {
      return this.#cipher.decrypt(stored, placeOf(place))
    } catch (error) {
      const { batchId } = this.#layout.header
      const part = place === 'index' ? 'its index' : `block ${place}`
      throw damaged(batchId, `${part}, which does not decrypt`, error)
    }
  }
}

/** Fewer bytes only at the end of the file. */
async function readAt(
  file: OpenFile,
  offset: number,
  sizeBytes: number,
  memory?: BufferPool,
): Promise<Buffer> {
  const buffer = memory?.take(sizeBytes) ?? Buffer.allocUnsafe(sizeBytes)
  return buffer.subarray(0, await file.read(buffer, offset))
}

function damaged(batchId: BatchId, part: string, cause?: unknown): StagingDamaged {
  const message = `Cannot read what is staged of batch ${batchId}: damage in ${part}`
  return new StagingDamaged(message, { cause })
}
