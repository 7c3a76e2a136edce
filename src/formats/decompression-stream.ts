/**
 * Undoes the compression of whole objects, a piece at a time: what is held is bounded by the codec's
 * window, whatever the object's size. The formats are those that compression.ts writes.
 */
import { Readable } from 'node:stream'
import type { Transform } from 'node:stream'
import zlib from 'node:zlib'
import { DecompressionError } from './decompression.ts'
import { readHadoopSnappy, readSnappy, readXerialSnappy } from './snappy-reader.ts'
import { readZipEntry } from './zip-reader.ts'

/** By the Content-Encoding of Firehose's objects; `snappy` is either of its two. */
export type ObjectCoding =
  | 'identity'
  | 'gzip'
  | 'zstd'
  | 'zip'
  | 'snappy-java'
  | 'hadoop-snappy'
  | 'snappy'

type Bytes = AsyncIterable<Uint8Array>

const READERS: Readonly<Record<ObjectCoding, (bytes: Bytes) => Bytes>> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => throughCodec(bytes, zlib.createGunzip()),
  zstd: readZstdFrame,
  zip: (bytes) =>
    readZipEntry(bytes, (deflated) => throughCodec(deflated, zlib.createInflateRaw())),
  'snappy-java': readXerialSnappy,
  'hadoop-snappy': readHadoopSnappy,
  snappy: readSnappy,
}

export function isObjectCoding(name: string): name is ObjectCoding {
  return Object.hasOwn(READERS, name)
}

/**
 * The content of an object.
 * @throws DecompressionError when it is damaged, not of this coding, or longer than `bytesMax`
 */
export async function* decompressedObject(
  coding: ObjectCoding,
  bytes: Bytes,
  bytesMax: number,
): AsyncGenerator<Buffer> {
  let sourceFailed = false
  const source = notingFailure(bytes, () => {
    sourceFailed = true
  })
  let contentBytes = 0
  try {
    for await (const piece of READERS[coding](source)) {
      contentBytes += piece.byteLength
      if (contentBytes > bytesMax) {
        const message = `Cannot decompress the object: it exceeds ${bytesMax} bytes`
        throw new DecompressionError('too-large', message)
      }
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    }
  } catch (error) {
    if (sourceFailed || error instanceof DecompressionError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    const message = `Cannot decompress the object: it is not ${coding} (${reason})`
    throw new DecompressionError('corrupt', message, { cause: error })
  }
}

/** What goes wrong where the bytes come from is no fault of theirs. */
async function* notingFailure(bytes: Bytes, onFailure: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (error) {
    onFailure()
    throw error
  }
}

async function* throughCodec(bytes: Bytes, codec: Transform): AsyncGenerator<Buffer> {
  const source = Readable.from(bytes, { objectMode: false })
  source.once('error', (error) => codec.destroy(error))
  source.pipe(codec)
  try {
    for await (const piece of codec) yield piece as Buffer
  } finally {
    source.destroy()
    codec.destroy()
  }
}

/** Node.js stops in silence after a frame: what follows it would be lost, and so is refused. */
async function* readZstdFrame(bytes: Bytes): AsyncGenerator<Buffer> {
  const codec = zlib.createZstdDecompress()
  let fedBytes = 0
  yield* throughCodec(
    counting(bytes, (byteCount) => {
      fedBytes += byteCount
    }),
    codec,
  )
  if (codec.bytesWritten !== fedBytes) throw new Error('there is more than one frame')
}

async function* counting(
  bytes: Bytes,
  count: (byteCount: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    count(piece.byteLength)
    yield piece
  }
}
