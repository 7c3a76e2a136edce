/**
 * A manifest file is two lines: the manifest as JSON, and the CRC-32 of that first line in hex. It
 * is written under a temporary name, synced and renamed, so that it is there as a whole or not.
 */
import { crc32 } from 'node:zlib'
import type { Manifest } from '../manifest.ts'
import type { BatchId } from '../batch.ts'

export function encodeManifest(manifest: Manifest): Buffer {
  const json = JSON.stringify(manifest)
  return Buffer.from(`${json}\n${checksum(json)}\n`)
}

/** @throws when the bytes are not the manifest of `batchId` */
export function decodeManifest(bytes: Buffer, batchId: BatchId): Manifest {
  const [json = '', sum] = bytes.toString().split('\n')
  if (sum !== checksum(json)) {
    throw new Error(`Cannot read the manifest of batch ${batchId}: its checksum is wrong`)
  }
  const manifest = JSON.parse(json) as Manifest
  if (manifest.batchId !== batchId) {
    throw new Error(`Cannot read the manifest of batch ${batchId}: it is another batch's`)
  }
  return manifest
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}
