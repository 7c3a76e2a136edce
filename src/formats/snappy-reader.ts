/** Reads the two containers of Snappy blocks that snappy-containers.ts writes and describes. */
import { uncompress } from 'snappyjs'
import { ByteReader } from './byte-reader.ts'

const XERIAL_MAGIC = Buffer.from('82534e4150505900', 'hex')
const XERIAL_VERSION_BYTES = 8
/** Far above the 32 and 256 KiB that are usual; a damaged length may ask for 4 GiB. */
const BLOCK_BYTES_MAX = 16 * 1024 * 1024

type Bytes = AsyncIterable<Uint8Array>

export async function* readXerialSnappy(bytes: Bytes): AsyncGenerator<Buffer> {
  yield* reading(bytes, readXerialBlocks)
}

export async function* readHadoopSnappy(bytes: Bytes): AsyncGenerator<Buffer> {
  yield* reading(bytes, readHadoopBlocks)
}

/** Either of the two: Hadoop's blocks are far too short for their length to begin like xerial's header. */
export async function* readSnappy(bytes: Bytes): AsyncGenerator<Buffer> {
  yield* reading(bytes, async function* (reader) {
    const first = await reader.take(1)
    if (first === undefined) return
    reader.giveBack(first)
    yield* first[0] === XERIAL_MAGIC[0] ? readXerialBlocks(reader) : readHadoopBlocks(reader)
  })
}

async function* reading(
  bytes: Bytes,
  read: (reader: ByteReader) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(bytes)
  try {
    yield* read(reader)
  } finally {
    await reader.close()
  }
}

async function* readXerialBlocks(reader: ByteReader): AsyncGenerator<Buffer> {
  const magic = await reader.need(XERIAL_MAGIC.byteLength)
  if (!magic.equals(XERIAL_MAGIC)) throw new Error('it has another header')
  await reader.need(XERIAL_VERSION_BYTES)
  for (;;) {
    const compressedBytes = await readLength(reader)
    if (compressedBytes === undefined) return
    yield await readBlock(reader, compressedBytes)
  }
}

/** A block's raw length may be made up of several compressed parts. */
async function* readHadoopBlocks(reader: ByteReader): AsyncGenerator<Buffer> {
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
