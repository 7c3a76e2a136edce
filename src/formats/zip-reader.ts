/**
 * The one deflated entry of a ZIP file as Firehose writes it (zip.ts), in one pass from the front. A
 * file with several entries is refused rather than read in part: its last 22 bytes, the end of the
 * central directory, tell how many there are.
 */
import { ByteReader } from './byte-reader.ts'

type Bytes = AsyncIterable<Uint8Array>

const LOCAL_HEADER = 0x04034b50
const LOCAL_HEADER_BYTES = 30
const METHOD_DEFLATE = 8
/** Bit 0: encrypted. */
const FLAG_ENCRYPTED = 1
const END_OF_CENTRAL_DIRECTORY = 0x06054b50
const END_BYTES = 22

/** @param inflate reads up to the end of the deflate stream, and perhaps beyond */
export async function* readZipEntry(
  bytes: Bytes,
  inflate: (deflated: Bytes) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(bytes)
  let tail = Buffer.alloc(0)
  async function* remaining(): AsyncGenerator<Buffer> {
    for await (const piece of reader.remaining()) {
      tail = Buffer.concat([tail, piece.subarray(-END_BYTES)]).subarray(-END_BYTES)
      yield piece
    }
  }
  try {
    await skipLocalHeader(reader)
    yield* inflate(remaining())
    for await (const _ of remaining()) continue
    checkEnd(tail)
  } finally {
    await reader.close()
  }
}

async function skipLocalHeader(reader: ByteReader): Promise<void> {
  const header = await reader.need(LOCAL_HEADER_BYTES)
  if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new Error('it has another header')
  const isEncrypted = (header.readUInt16LE(6) & FLAG_ENCRYPTED) !== 0
  if (isEncrypted || header.readUInt16LE(8) !== METHOD_DEFLATE) {
    throw new Error('its entry is not deflated')
  }
  await reader.need(header.readUInt16LE(26) + header.readUInt16LE(28))
}

function checkEnd(tail: Buffer): void {
  if (tail.byteLength < END_BYTES || tail.readUInt32LE(0) !== END_OF_CENTRAL_DIRECTORY) {
    throw new Error('it ends too early')
  }
  if (tail.readUInt16LE(10) !== 1) throw new Error('it has more than one entry')
}
