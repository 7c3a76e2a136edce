import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { inBlocks } from './blocks.ts'

const BLOCK_BYTES = 16

test('a codec sees the same blocks however the input was cut into writes', async () => {
  const writes = fc.array(fc.uint8Array({ maxLength: 50, size: 'max' }))
  await fc.assert(
    fc.asyncProperty(writes, async (writes) => {
      const input = Buffer.concat(writes)
      const expected: Buffer[] = []
      for (let start = 0; start < input.byteLength; start += BLOCK_BYTES) {
        expected.push(input.subarray(start, start + BLOCK_BYTES))
      }
      expect(await blocksOf(writes)).toEqual(expected)
    }),
  )
})

async function blocksOf(writes: readonly Uint8Array[]): Promise<Buffer[]> {
  const blocks: Buffer[] = []
  const cutter = inBlocks(BLOCK_BYTES, {
    write: (block) => {
      blocks.push(Buffer.from(block))
      return Promise.resolve()
    },
    finish: () => Promise.resolve(),
  })
  for (const bytes of writes) await cutter.write(bytes)
  await cutter.finish()
  return blocks
}
