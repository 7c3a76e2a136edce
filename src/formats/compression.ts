/**
 * Compression formats as Firehose names them, and ZSTD as an extension.
 *
 * The output is a function of the bytes and the options alone: it holds no time of day and no trace
 * of the machine, and it doesn't depend on how the input was cut into writes, because a codec only
 * ever sees blocks of a fixed size. It does depend on the codec itself: another version of Node.js,
 * or (for GZIP and ZIP, whose matcher uses the processor's own instructions) another kind of
 * processor may compress the same bytes differently.
 */
import type { Compressor, Sink } from './compressor.ts'
import { inBlocks } from './blocks.ts'
import { GzipCompressor } from './gzip.ts'
import { openHadoopSnappy, openXerialSnappy } from './snappy-containers.ts'
import { ZipCompressor } from './zip.ts'
import { openZstd } from './zstd.ts'

export type CompressionFormat =
  | 'UNCOMPRESSED'
  | 'GZIP'
  | 'ZIP'
  | 'Snappy'
  | 'HADOOP_SNAPPY'
  | 'ZSTD'

export interface CompressionOptions {
  /** Name of the one entry of a ZIP file; other formats hold no name. */
  readonly entryName: string
  /**
   * The size of the whole input, where it is known beforehand; ZSTD frames then carry it. `finish`
   * rejects when the input has another size.
   */
  readonly totalBytes?: number
}

export interface CompressionFormatTraits {
  /** What the object's name ends in by default. */
  readonly fileExtension: string
  /** The object's Content-Encoding; absent: none is sent. */
  readonly contentEncoding?: string
  readonly open: (options: CompressionOptions, sink: Sink) => Compressor
}

/** Large enough that the hop to zlib's thread doesn't count, small enough to hold many. */
const BLOCK_BYTES = 256 * 1024

/**
 * Extensions and encodings are the ones observed on the service: both Snappy containers end in
 * `.snappy`, whatever its manual says.
 */
export const COMPRESSION_FORMATS: Readonly<Record<CompressionFormat, CompressionFormatTraits>> = {
  UNCOMPRESSED: {
    fileExtension: '',
    open: (_options, sink) => ({ write: sink, finish: () => Promise.resolve() }),
  },
  GZIP: {
    fileExtension: '.gz',
    contentEncoding: 'gzip',
    open: (_options, sink) => inBlocks(BLOCK_BYTES, new GzipCompressor(sink)),
  },
  ZIP: {
    fileExtension: '.zip',
    contentEncoding: 'zip',
    open: ({ entryName }, sink) => inBlocks(BLOCK_BYTES, new ZipCompressor(entryName, sink)),
  },
  Snappy: {
    fileExtension: '.snappy',
    contentEncoding: 'snappy-java',
    open: (_options, sink) => openXerialSnappy(sink),
  },
  HADOOP_SNAPPY: {
    fileExtension: '.snappy',
    contentEncoding: 'hadoop-snappy',
    open: (_options, sink) => openHadoopSnappy(sink),
  },
  ZSTD: {
    fileExtension: '.zst',
    contentEncoding: 'zstd',
    open: ({ totalBytes }, sink) => inBlocks(BLOCK_BYTES, openZstd(totalBytes, sink)),
  },
}

export function openCompressor(
  format: CompressionFormat,
  options: CompressionOptions,
  sink: Sink,
): Compressor {
  return COMPRESSION_FORMATS[format].open(options, sink)
}
