/**
 * A manifest as it is kept: two lines, the manifest as JSON, and the CRC-32 of that first line in hex.
 * Refusals are kept in groups (refusal-groups.ts).
 */
import { crc32 } from 'node:zlib'
import type { BatchId } from '../batch.ts'
import { ManifestDamaged } from '../manifest.ts'
import type { Manifest } from '../manifest.ts'
import { groupRefusals, ungroupRefusals } from './refusal-groups.ts'
import type { GroupedManifest } from './refusal-groups.ts'

export function encodeManifest(manifest: Manifest): Buffer {
  const json = JSON.stringify(groupRefusals(manifest))
  return Buffer.from(`${json}\n${checksum(json)}\n`)
}

/** @throws ManifestDamaged when the bytes are not the manifest of `batchId` */
export function decodeManifest(bytes: Buffer, batchId: BatchId): Manifest {
  const refuse = (reason: string): never => {
    throw new ManifestDamaged(`Cannot read the manifest of batch ${batchId}: ${reason}`)
  }
  const [json = '', sum] = bytes.toString().split('\n')
  if (sum !== checksum(json)) return refuse('its checksum is wrong')
  const manifest = JSON.parse(json) as GroupedManifest
  return manifest.batchId === batchId ? ungroupRefusals(manifest) : refuse("it is another batch's")
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}
