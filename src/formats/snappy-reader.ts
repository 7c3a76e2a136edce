/** Reads the two containers of Snappy blocks that snappy-containers.ts writes and describes. */
import { uncompress } from 'snappyjs'
import { ByteReader } from './byte-reader.ts'

const XERIAL_MAGIC = Buffer.from('82534e4150505900', 'hex')
const XERIAL_VERSION_BYTES = 8
/** Far above the 32 and 256 KiB that are usual; a damaged length may ask for 4 GiB. */
const BLOCK_BYTES_MAX = 16 * 1024 * 1024

export async function* readXerialSnappy(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const reader = new ByteReader(bytes)
  try {
    const magic = await reader.need(XERIAL_MAGIC.byteLength)
    if (!magic.equals(XERIAL_MAGIC)) throw new Error('it has another header')
    await reader.need(XERIAL_VERSION_BYTES)
    for (;;) {
      const compressedBytes = await readLength(reader)
      if (compressedBytes === undefined) return
      yield await readBlock(reader, compressedBytes)
    }
  } finally {
    await reader.close()
  }
}

/** A block's raw length may be made up of several compressed parts. */
export async function* readHadoopSnappy(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const reader = new ByteReader(bytes)
  try {
    for (;;) {
      const rawBytes = await readLength(reader)
      if (rawBytes === undefined) return
      let readBytes = 0
      while (readBytes < rawBytes) {
        const compressedBytes = await readLength(reader)
        if (compressedBytes === undefined) throw new Error('it ends too early')
        const block = await readBlock(reader, compressedBytes)
        if (block.byteLength === 0) throw new Error('a block is empty')
        readBytes += block.byteLength
        yield block
      }
      if (readBytes > rawBytes) throw new Error('a block is longer than it says')
    }
  } finally {
    await reader.close()
  }
}

async function readLength(reader: ByteReader): Promise<number | undefined> {
  const bytes = await reader.take(4)
  return bytes?.readUInt32BE(0)
}

async function readBlock(reader: ByteReader, compressedBytes: number): Promise<Buffer> {
  if (compressedBytes > BLOCK_BYTES_MAX) throw new Error('a block is too long')
  const compressed = await reader.need(compressedBytes)
  return Buffer.from(uncompress(compressed, BLOCK_BYTES_MAX))
}
