import { promisify } from 'node:util'
import zlib from 'node:zlib'

export type ContentCoding = 'identity' | 'gzip' | 'zstd'

/** A body that can't be decompressed: `corrupt` as it stands, or `too-large` when unpacked. */
export class DecompressionError extends Error {
  override readonly name = 'DecompressionError'
  readonly reason: 'corrupt' | 'too-large'

  constructor(reason: 'corrupt' | 'too-large', message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Each frame costs a hop to another thread; nobody but an attacker sends this many. */
const ZSTD_FRAMES_MAX = 1_000
/** RFC 8878 asks decoders to support windows of 8 MiB; a frame may ask for terabytes. */
const ZSTD_WINDOW_LOG_MAX = 23

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip)
/** With the option `info` Node.js answers with the content and the engine that made it. */
const unzstdFrame = promisify<Uint8Array, zlib.ZstdOptions, Inflated>(
  zlib.zstdDecompress as unknown as (
    body: Uint8Array,
    options: zlib.ZstdOptions,
    done: (error: Error | null, inflated: Inflated) => void,
  ) => void,
)

interface Inflated {
  readonly buffer: Buffer
  /** How much of the input was used up. */
  readonly engine: { readonly bytesWritten: number }
}

/**
 * The body as it was before `coding`; all members or frames of it. Output is taken in small chunks
 * and refused at the first one beyond `maxBytes`, so that a bomb costs no more memory than that
 * (and for ZSTD a window of at most 8 MiB).
 * @throws DecompressionError
 */
export async function decompress(
  coding: ContentCoding,
  body: Buffer,
  maxBytes: number,
): Promise<Buffer> {
  try {
    const content = await decode(coding, body, maxBytes)
    if (content.byteLength <= maxBytes) return content
  } catch (error) {
    if (!isTooLarge(error)) {
      throw new DecompressionError('corrupt', `Cannot decompress the body: it is not ${coding}`, {
        cause: error,
      })
    }
  }
  throw new DecompressionError(
    'too-large',
    `Cannot decompress the body: it exceeds ${maxBytes} bytes`,
  )
}

async function decode(coding: ContentCoding, body: Buffer, maxBytes: number): Promise<Buffer> {
  if (coding === 'identity') return body
  if (coding === 'zstd') return await unzstd(body, maxBytes)
  return await gunzip(body, { maxOutputLength: outputLengthMax(maxBytes) })
}

/** Node.js stops in silence after a frame, so that what follows it has to be asked for. */
async function unzstd(body: Buffer, maxBytes: number): Promise<Buffer> {
  const contents: Buffer[] = []
  let contentBytes = 0
  let offset = 0
  do {
    if (contents.length === ZSTD_FRAMES_MAX) throw new Error('Cannot decode: too many frames')
    const { buffer, engine } = await unzstdFrame(body.subarray(offset), {
      info: true,
      maxOutputLength: outputLengthMax(maxBytes - contentBytes),
      params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
    })
    contents.push(buffer)
    contentBytes += buffer.byteLength
    offset += engine.bytesWritten
  } while (offset < body.byteLength)
  return Buffer.concat(contents, contentBytes)
}

/** Node.js takes no limit below 1; the one byte is refused by whoever asked. */
function outputLengthMax(maxBytes: number): number {
  return Math.max(maxBytes, 1)
}

function isTooLarge(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ERR_BUFFER_TOO_LARGE' || code === 'ZSTD_error_frameParameter_windowTooLarge'
}
