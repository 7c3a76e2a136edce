import { strict as assert } from 'node:assert'
import type { ContentFormat, OutputContent } from '../destination.ts'
import type { ExplainedContent } from '../explanation.ts'
import { COMPRESSION_FORMATS } from '../formats/compression.ts'
import { decompressedObject, isObjectCoding } from '../formats/decompression-stream.ts'

const HEAD_BYTES_MAX = 64 * 1024
const PIECE_BYTES = 64 * 1024

/** What the bytes of an output say, as a person would read them. */
export async function explainContent(
  content: OutputContent,
  format: ContentFormat = 'UNCOMPRESSED',
): Promise<ExplainedContent> {
  if (format === 'PARQUET') return { format, isWhole: false }
  const { contentEncoding: coding = 'identity' } = COMPRESSION_FORMATS[format]
  assert(isObjectCoding(coding), `what is written as ${format} can be read`)
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of decompressedObject(coding, piecesOf(content), Infinity)) {
    pieces.push(piece)
    sizeBytes += piece.byteLength
    if (sizeBytes > HEAD_BYTES_MAX) break
  }
  const head = Buffer.concat(pieces)
  return { format, head: head.subarray(0, HEAD_BYTES_MAX), isWhole: sizeBytes <= HEAD_BYTES_MAX }
}

async function* piecesOf(content: OutputContent): AsyncGenerator<Buffer> {
  for (let start = 0; start < content.sizeBytes; start += PIECE_BYTES) {
    yield await content.read(start, Math.min(start + PIECE_BYTES, content.sizeBytes))
  }
}
