import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import { chunkOf } from '../chunk.ts'
import { ObjectEncoder } from './object-encoder.ts'
import { openSpool } from './spool.ts'

const BLOCK_BYTES = 256 * 1024

/** Encodes chunks of records without compression, and counts what reaches the spool. */
async function encode(
  chunks: readonly (readonly Uint8Array[])[],
  delimiter: Buffer | undefined,
): Promise<{ bytes: Buffer; recordCount: number; writes: number }> {
  const spool = openSpool({
    directory: '/nonexistent',
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt: false,
  })
  let writes = 0
  const encoder = new ObjectEncoder({
    compressionFormat: 'UNCOMPRESSED',
    entryName: 'entry',
    delimiter,
    spool: {
      write: (bytes) => {
        writes += 1
        return spool.write(bytes)
      },
      finish: () => spool.finish(),
    },
  })
  for (const records of chunks) await encoder.add(chunkOf(records, 0))
  const content = await encoder.finish()
  const bytes = await content.read(0, content.sizeBytes)
  await content.dispose()
  return { bytes, recordCount: encoder.recordCount, writes }
}

const texts = (...records: string[]): Buffer[] => records.map((record) => Buffer.from(record))
const LINE_FEED = Buffer.from('\n')

test.each<[delimiter: string | undefined, expected: string]>([
  [undefined, 'abcde'],
  ['\n', 'a\nb\n\ncd\ne'],
  ['--', 'a--b----cd--e'],
])(
  'a delimiter of %j goes between records, across chunks, and not after the last',
  async (text, expected) => {
    const chunks = [texts('a', 'b', ''), texts('cd'), texts('e')]
    const delimiter = text === undefined ? undefined : Buffer.from(text)
    const { bytes, recordCount } = await encode(chunks, delimiter)
    expect({ text: bytes.toString(), recordCount }).toEqual({ text: expected, recordCount: 5 })
  },
)

test('nothing in, nothing out', async () => {
  expect(await encode([], LINE_FEED)).toEqual({ bytes: Buffer.alloc(0), recordCount: 0, writes: 0 })
})

test('records as large as a block, and larger, come through between small ones', async () => {
  const sizes = [1, BLOCK_BYTES - 1, BLOCK_BYTES, 2, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, 1]
  const records = sizes.map((size, index) => Buffer.alloc(size, 'abcdefg'.charAt(index)))
  const { bytes } = await encode([records], LINE_FEED)
  expect(bytes.equals(Buffer.from(records.join('\n')))).toBe(true)
})

test('many small delimited records reach the compressor in few writes', async () => {
  const records = Array.from({ length: 1_000 }, () => Buffer.alloc(1_000, 'x'))
  const { writes } = await encode([records], LINE_FEED)
  expect(writes).toBe(Math.ceil((1_000 * 1_001) / BLOCK_BYTES))
})

test('whatever the records and chunks, the bytes are the records with the delimiter between', async () => {
  const chunks = fc.array(fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1 }))
  await fc.assert(
    fc.asyncProperty(chunks, fc.constantFrom(undefined, '\n'), async (chunks, delimiter) => {
      const text = delimiter === undefined ? undefined : Buffer.from(delimiter)
      const { bytes } = await encode(chunks, text)
      const records = chunks.flat().map((record) => Buffer.from(record).toString('latin1'))
      expect(bytes.toString('latin1')).toBe(records.join(delimiter ?? ''))
    }),
  )
})
