import { readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { S3Bucket } from '../fakes/s3-bucket.ts'

export interface DeliveredObject {
  readonly key: string
  readonly bytes: Buffer
}

/** The objects of a bucket that is a folder; empty while there is none. */
export async function folderObjects(folder: string): Promise<DeliveredObject[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    },
  )
  const files = entries.filter((entry) => entry.isFile())
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name)
      return { key: relative(folder, path), bytes: await readFile(path) }
    }),
  )
}

export function s3Objects(bucket: S3Bucket): DeliveredObject[] {
  return [...bucket.versions.keys()].map((key) => ({ key, bytes: bucket.current(key).bytes }))
}

export function decompressed({ key, bytes }: DeliveredObject): Buffer {
  if (key.endsWith('.gz')) return gunzipSync(bytes)
  if (key.endsWith('.zst')) return zstdDecompressSync(bytes)
  return bytes
}
