import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { COMPRESSION_FORMATS, openCompressor } from './compression.ts'
import type { CompressionFormat } from './compression.ts'
import { decompressedObject } from './decompression-stream.ts'
import type { ObjectCoding } from './decompression-stream.ts'
import { DecompressionError } from './decompression.ts'

const MIB = 1024 * 1024

async function compressed(format: CompressionFormat, content: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = []
  const compressor = openCompressor(format, { entryName: 'entry' }, async (bytes) => {
    pieces.push(Buffer.from(bytes))
  })
  await compressor.write(content)
  await compressor.finish()
  return Buffer.concat(pieces)
}

async function* piecesOf(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += pieceBytes) {
    yield bytes.subarray(start, start + pieceBytes)
  }
}

async function read(
  coding: ObjectCoding,
  bytes: AsyncIterable<Buffer>,
  bytesMax = 64 * MIB,
): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of decompressedObject(coding, bytes, bytesMax)) {
    pieces.push(Buffer.from(piece))
  }
  return Buffer.concat(pieces)
}

/** Compresses badly in places, so that blocks of all kinds are met. */
function contentOf(sizeBytes: number): Buffer {
  const content = Buffer.alloc(sizeBytes, 'a line like the others\n')
  for (let at = 0, state = 1; at < sizeBytes / 2; at += 1) {
    state = (state * 48_271) % 2_147_483_647
    content[at] = state & 0xff
  }
  return content
}

const FORMATS = Object.entries(COMPRESSION_FORMATS).map(
  ([format, { contentEncoding = 'identity' }]) =>
    [format as CompressionFormat, contentEncoding as ObjectCoding] as const,
)

test.each(['Snappy', 'HADOOP_SNAPPY'] as const)('%s is known for itself', async (format) => {
  for (const content of [Buffer.alloc(0), contentOf(700_000)]) {
    const object = await compressed(format, content)
    expect((await read('snappy', piecesOf(object, 1_000))).equals(content)).toBe(true)
  }
})

test.each(FORMATS)('what %s has compressed is read back from %s', async (format, coding) => {
  for (const sizeBytes of [0, 1, 700_000]) {
    const content = contentOf(sizeBytes)
    const object = await compressed(format, content)
    for (const pieceBytes of [1_000, 10 * MIB]) {
      expect((await read(coding, piecesOf(object, pieceBytes))).equals(content)).toBe(true)
    }
  }
})

test.each(FORMATS.filter(([, coding]) => coding !== 'identity'))(
  'an object of %s that is cut off is corrupt',
  async (format, coding) => {
    const object = await compressed(format, contentOf(700_000))
    const cut = piecesOf(object.subarray(0, -10), 1_000)
    await expect(read(coding, cut)).rejects.toMatchObject({ reason: 'corrupt' })
    const other = piecesOf(Buffer.from('not at all what it says it is, by far'), 10)
    await expect(read(coding, other)).rejects.toBeInstanceOf(DecompressionError)
  },
)

test('all members of a gzip object are read', async () => {
  const object = Buffer.concat([gzipSync('one\n'), gzipSync('two\n')])
  expect((await read('gzip', piecesOf(object, 7))).toString()).toBe('one\ntwo\n')
})

test.each([5, 1_000])(
  'a zstd object of several frames is refused, in pieces of %i',
  async (size) => {
    const object = Buffer.concat([zstdCompressSync('one\n'), zstdCompressSync('two\n')])
    await expect(read('zstd', piecesOf(object, size))).rejects.toMatchObject({
      reason: 'corrupt',
      message: 'Cannot decompress the object: it is not zstd (there is more than one frame)',
    })
  },
)

test('a ZIP file of several entries is refused', async () => {
  const object = await compressed('ZIP', Buffer.from('one'))
  object.writeUInt16LE(2, object.byteLength - 12)
  await expect(read('zip', piecesOf(object, 1_000))).rejects.toMatchObject({
    message: 'Cannot decompress the object: it is not zip (it has more than one entry)',
  })
})

test('a bomb is given up at the limit', async () => {
  const object = gzipSync(Buffer.alloc(64 * MIB))
  await expect(read('gzip', piecesOf(object, MIB), MIB)).rejects.toMatchObject({
    reason: 'too-large',
  })
})

test('what goes wrong at the source is passed on as it is', async () => {
  const failure = new Error('Cannot read: the line is dead')
  async function* dying(): AsyncGenerator<Buffer> {
    yield gzipSync('one').subarray(0, 12)
    throw failure
  }
  for (const coding of ['identity', 'gzip'] as const) {
    await expect(read(coding, dying())).rejects.toBe(failure)
  }
})
