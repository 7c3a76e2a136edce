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

test('a codec that takes an input as a whole gets it so, if it is smaller than a block', async () => {
  const input = fc.uint8Array({ maxLength: 2 * BLOCK_BYTES, size: 'max' })
  await fc.assert(
    fc.asyncProperty(input, fc.nat(2 * BLOCK_BYTES), async (input, cut) => {
      const calls: string[] = []
      const cutter = inBlocks(BLOCK_BYTES, {
        write: async (block) => void calls.push(`write ${block.byteLength}`),
        finish: async () => void calls.push('finish'),
        finishWith: async (bytes) => void calls.push(`finish with ${Buffer.from(bytes).join()}`),
      })
      await cutter.write(input.subarray(0, cut))
      await cutter.write(input.subarray(cut))
      await cutter.finish()
      const isSmall = input.byteLength < BLOCK_BYTES
      expect(calls.at(-1)).toBe(isSmall ? `finish with ${input.join()}` : 'finish')
      expect(calls.length > 1).toBe(!isSmall)
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
