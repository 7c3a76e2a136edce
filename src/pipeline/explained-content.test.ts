import { expect, test } from 'vitest'
import type { OutputContent } from '../destination.ts'
import { COMPRESSION_FORMATS, openCompressor } from '../formats/compression.ts'
import type { CompressionFormat } from '../formats/compression.ts'
import { explainContent } from './explained-content.ts'

const FORMATS = Object.keys(COMPRESSION_FORMATS) as CompressionFormat[]
const HEAD_BYTES = 64 * 1024

async function contentOf(text: string, format: CompressionFormat): Promise<OutputContent> {
  const blocks: Buffer[] = []
  const compressor = openCompressor(format, { entryName: 'x' }, (bytes) => {
    blocks.push(Buffer.from(bytes))
    return Promise.resolve()
  })
  await compressor.write(Buffer.from(text))
  await compressor.finish()
  const whole = Buffer.concat(blocks)
  return {
    sizeBytes: whole.byteLength,
    sha256: '',
    read: (start, end) => Promise.resolve(whole.subarray(start, end)),
    dispose: () => Promise.resolve(),
  }
}

test.each(FORMATS)('%s is undone', async (format) => {
  const content = await contentOf('one\ntwo', format)
  expect(await explainContent(content, format)).toEqual({
    format,
    head: Buffer.from('one\ntwo'),
    isWhole: true,
  })
})

test.each(FORMATS)('of much in %s the head is shown', async (format) => {
  const text = Array.from({ length: 100_000 }, (_, index) => `line ${index}`).join('\n')
  const { head, isWhole } = await explainContent(await contentOf(text, format), format)
  expect({ head: head?.toString(), isWhole }).toEqual({
    head: text.slice(0, HEAD_BYTES),
    isWhole: false,
  })
})

test('just as much as the head holds is whole', async () => {
  const text = 'x'.repeat(HEAD_BYTES)
  const { head, isWhole } = await explainContent(await contentOf(text, 'UNCOMPRESSED'))
  expect({ sizeBytes: head?.byteLength, isWhole }).toEqual({ sizeBytes: HEAD_BYTES, isWhole: true })
})

test('Parquet is not shown byte by byte', async () => {
  expect(await explainContent(await contentOf('PAR1', 'UNCOMPRESSED'), 'PARQUET')).toEqual({
    format: 'PARQUET',
    isWhole: false,
  })
})
