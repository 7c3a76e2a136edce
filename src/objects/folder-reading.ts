/** Reads objects in a local folder back (see folder-path.ts for where they lie). */
import { open, opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../destination.ts'
import type { ListedObject } from '../object-store.ts'
import { bucketPath, keySegment, objectPath } from './folder-path.ts'

const PIECE_BYTES = 256 * 1024

/** A bucket that is not there yet is empty: it is made by the first put. */
export async function* listFolder(
  root: string,
  bucket: string,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ListedObject> {
  // Of the prefix's last segment there may be only the beginning.
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const path =
    folder === '' ? bucketPath(root, bucket) : objectPath(root, bucket, folder.slice(0, -1))
  yield* walk(path, folder, prefix, signal)
}

/** @param folder the beginning of all keys in it, with its slash */
async function* walk(
  path: string,
  folder: string,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ListedObject> {
  const entries = await opendir(path).catch(notThere)
  if (entries === undefined) return
  for await (const entry of entries) {
    signal.throwIfAborted()
    const key = folder + keySegment(entry.name)
    const entryPath = join(path, entry.name)
    if (entry.isDirectory() && `${key}/`.startsWith(prefix.slice(0, key.length + 1))) {
      yield* walk(entryPath, `${key}/`, prefix, signal)
    } else if (entry.isFile() && key.startsWith(prefix)) {
      const found = await stat(entryPath).catch(notThere)
      if (found === undefined) continue
      yield { key, sizeBytes: found.size, lastModifiedMs: found.mtimeMs }
    }
  }
}

export async function* readObject(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const opened = await open(path, 'r').catch(notThere)
  if (opened === undefined) {
    throw new DeliveryError('S3.NoSuchKey', `Cannot get ${path}: there is no such object`, {
      retryable: false,
      effect: 'none',
    })
  }
  await using file = opened
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE_BYTES))
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

function notThere(error: NodeJS.ErrnoException): undefined {
  // A file where the key has a folder holds none of its objects either.
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
