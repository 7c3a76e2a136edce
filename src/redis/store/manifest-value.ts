/**
 * A manifest as it lies in Redis: its two lines (pipeline/manifest-lines.ts), deflated while they are long.
 * JSON begins with a brace, a deflated stream never does.
 */
import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'
import type { ZlibOptions } from 'node:zlib'
import type { BatchId } from '../../batch.ts'
import { ManifestDamaged } from '../../manifest.ts'
import type { Manifest } from '../../manifest.ts'
import { decodeManifest, encodeManifest } from '../../pipeline/manifest-lines.ts'

const PLAIN_BYTES_MAX = 16 * 1024
const OPENING_BRACE = 0x7b
const FAST: ZlibOptions = { level: 1 }

const compress = promisify<Buffer, ZlibOptions, Buffer>(deflate)
const decompress = promisify<Buffer, Buffer>(inflate)

export async function encodeManifestValue(manifest: Manifest): Promise<Buffer> {
  const lines = encodeManifest(manifest)
  return lines.byteLength <= PLAIN_BYTES_MAX ? lines : compress(lines, FAST)
}

/** @throws ManifestDamaged */
export async function decodeManifestValue(value: Buffer, batchId: BatchId): Promise<Manifest> {
  if (value[0] === OPENING_BRACE) return decodeManifest(value, batchId)
  let lines: Buffer
  try {
    lines = await decompress(value)
  } catch (cause) {
    const message = `Cannot read the manifest of batch ${batchId}: it does not decompress`
    throw new ManifestDamaged(message, { cause })
  }
  return decodeManifest(lines, batchId)
}
