/**
 * Two containers of raw Snappy blocks; neither is Snappy's official framing format. Numbers are
 * unsigned and big-endian.
 *
 *   xerial (snappy-java's SnappyOutputStream):
 *     82 'SNAPPY' 00 | version u32 1 | oldest compatible version u32 1
 *     block, of at most 32 KiB raw:   compressed length u32 | compressed
 *
 *   Hadoop (SnappyCodec's BlockCompressorStream), without a header:
 *     block, of at most 256 KiB raw:  raw length u32 | compressed length u32 | compressed
 */
import { compress } from 'snappyjs'
import { inBlocks } from './blocks.ts'
import type { Compressor, Sink } from './compressor.ts'

const XERIAL_HEADER = Buffer.from('82534e41505059000000000100000001', 'hex')
const XERIAL_BLOCK_BYTES = 32 * 1024
const HADOOP_BLOCK_BYTES = 256 * 1024

export function openXerialSnappy(sink: Sink): Compressor {
  let started = false
  async function start(): Promise<void> {
    if (started) return
    started = true
    await sink(XERIAL_HEADER)
  }
  return inBlocks(XERIAL_BLOCK_BYTES, {
    async write(block) {
      await start()
      const compressed = compress(block)
      await sink(Buffer.concat([bigEndian(compressed.byteLength), compressed]))
    },
    finish: start,
  })
}

export function openHadoopSnappy(sink: Sink): Compressor {
  return inBlocks(HADOOP_BLOCK_BYTES, {
    async write(block) {
      const compressed = compress(block)
      await sink(Buffer.concat([bigEndian(block.byteLength, compressed.byteLength), compressed]))
    },
    finish: () => Promise.resolve(),
  })
}

function bigEndian(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4)
  return bytes
}
