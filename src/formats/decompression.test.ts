import { gzipSync, zstdCompressSync, constants } from 'node:zlib'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decompress, DecompressionError } from './decompression.ts'

const MIB = 1024 * 1024
const ENCODERS = {
  identity: (content: Buffer) => content,
  gzip: (content: Buffer) => gzipSync(content),
  zstd: (content: Buffer) => zstdCompressSync(content),
}
const CODINGS = ['identity', 'gzip', 'zstd'] as const

test.each(CODINGS)(
  '%s: a body up to the limit comes back, one byte more is refused',
  async (coding) => {
    const lengths = fc.integer({ min: 0, max: 100_000 })
    await fc.assert(
      fc.asyncProperty(lengths, lengths, async (sizeBytes, maxBytes) => {
        const content = Buffer.alloc(sizeBytes, 'ab')
        const outcome = await outcomeOf(coding, ENCODERS[coding](content), maxBytes)
        expect(outcome).toEqual(sizeBytes <= maxBytes ? content : 'too-large')
      }),
      { numRuns: 50 },
    )
  },
)

test.each(['gzip', 'zstd'] as const)('%s: members follow one another', async (coding) => {
  const body = Buffer.concat([
    ENCODERS[coding](Buffer.from('one ')),
    ENCODERS[coding](Buffer.alloc(0)),
    ENCODERS[coding](Buffer.from('two')),
  ])
  expect(await outcomeOf(coding, body, 7)).toEqual(Buffer.from('one two'))
  expect(await outcomeOf(coding, body, 6)).toBe('too-large')
})

test.each(['gzip', 'zstd'] as const)(
  '%s: what is cut short, altered or no such thing is corrupt',
  async (coding) => {
    const whole = ENCODERS[coding](Buffer.from('a record that matters'))
    const altered = Buffer.from(whole)
    altered[0] = 0
    const bodies = [
      Buffer.alloc(0),
      Buffer.from('{"plain":"text"}'),
      altered,
      ...Array.from({ length: whole.byteLength - 1 }, (_, index) => whole.subarray(0, index + 1)),
      Buffer.concat([whole, Buffer.from('trailing garbage')]),
    ]
    const outcomes = await Promise.all(bodies.map((body) => outcomeOf(coding, body, MIB)))
    expect(outcomes).toEqual(bodies.map(() => 'corrupt'))
  },
)

const BOMBS = {
  gzip: Buffer.concat(Array.from({ length: 128 }, () => gzipSync(Buffer.alloc(MIB)))),
  /** One frame of 1,024 blocks, each of which says in 4 bytes: 128 KiB of the same byte. */
  zstd: Buffer.concat([
    Buffer.from('28b52ffd0058', 'hex'),
    ...Array.from({ length: 1_024 }, () => Buffer.from('02001000', 'hex')),
    Buffer.from('010000', 'hex'),
  ]),
}

test.each(['gzip', 'zstd'] as const)(
  '%s: a bomb is refused before it is unpacked',
  async (coding) => {
    const peakKiB = process.resourceUsage().maxRSS
    expect(await outcomeOf(coding, BOMBS[coding], MIB)).toBe('too-large')
    expect(process.resourceUsage().maxRSS - peakKiB).toBeLessThan(32 * 1024)
  },
)

test.each(['gzip', 'zstd'] as const)('%s: the bomb is a real one', async (coding) => {
  const content = await decompress(coding, BOMBS[coding], 128 * MIB)
  expect(content.byteLength).toBe(128 * MIB)
})

test('zstd: a frame that asks for a window beyond 8 MiB is refused', async () => {
  const content = Buffer.alloc(9 * MIB)
  const params = { [constants.ZSTD_c_windowLog]: 24, [constants.ZSTD_c_contentSizeFlag]: 0 }
  expect(await outcomeOf('zstd', zstdCompressSync(content, { params }), 64 * MIB)).toBe('too-large')
})

test('zstd: a body of very many empty frames is refused', async () => {
  const frame = zstdCompressSync(Buffer.alloc(0))
  const body = Buffer.concat(Array.from({ length: 1_001 }, () => frame))
  expect(await outcomeOf('zstd', body, MIB)).toBe('corrupt')
})

async function outcomeOf(
  coding: (typeof CODINGS)[number],
  body: Buffer,
  maxBytes: number,
): Promise<Buffer | string> {
  try {
    return await decompress(coding, body, maxBytes)
  } catch (error) {
    if (error instanceof DecompressionError) return error.reason
    throw error
  }
}
