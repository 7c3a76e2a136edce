/**
 * Objects in a local folder, for when there is no S3. The files are the interface: an object is a
 * file under its bucket and key (see folder-path.ts).
 *
 * A put writes `<root>/.partial/<32 hex digits>`, syncs it, and links it to its name, which fails
 * where the name exists: the file system's form of `If-None-Match: *`. Then the folder is synced, so
 * that the name is durable too. Whoever sees an object sees all of it.
 */
import { createHash } from 'node:crypto'
import { link, mkdir, open, rm, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { makeDirectories } from '../base/make-directories.ts'
import { DeliveryError } from '../destination.ts'
import type { DeliveryErrorOptions, OutputContent } from '../destination.ts'
import type {
  ListedObject,
  ObjectReader,
  ObjectStore,
  PutObject,
  StoredObject,
} from '../object-store.ts'
import { listFolder, readObject } from './folder-reading.ts'
import { hasFileNames, objectPath } from './folder-path.ts'

const PARTIAL_FOLDER = '.partial'
const PIECE_BYTES = 1024 * 1024
/** Folders remembered as durable; beyond it all are forgotten, which only costs syncs. */
const FOLDERS_KNOWN_MAX = 10_000

export interface FolderObjectStoreOptions {
  /** Holds a folder for each bucket; made when first used, like the buckets. */
  readonly root: string
  readonly clock: Clock
}

/** Removes what a process that died was about to write. Only for start-up: nobody may be putting. */
export async function sweepPartialObjects(root: string): Promise<void> {
  await rm(join(root, PARTIAL_FOLDER), { recursive: true, force: true })
}

export class FolderObjectStore implements ObjectStore, ObjectReader {
  readonly description: string
  readonly #root: string
  readonly #clock: Clock
  /** Folders that exist durably, or are on their way. */
  readonly #folders = new Map<string, Promise<void>>()

  constructor({ root, clock }: FolderObjectStoreOptions) {
    this.#root = resolve(root)
    this.description = this.#root
    this.#clock = clock
  }

  takesKey(key: string): boolean {
    return hasFileNames(key)
  }

  async put(object: PutObject, signal: AbortSignal): Promise<void> {
    const act = `put ${object.bucket}/${object.key} into ${this.#root}`
    if (object.kmsKeyArn !== undefined) {
      throw new DeliveryError('S3.KMS.NotFoundException', `Cannot ${act}: a folder has no KMS`, {
        retryable: true,
        effect: 'none',
        brake: true,
      })
    }
    try {
      await this.#put(object, signal)
    } catch (error) {
      throw folderFailure(act, error, signal)
    }
  }

  async *list(bucket: string, prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    try {
      yield* listFolder(this.#root, bucket, prefix, signal)
    } catch (error) {
      throw folderFailure(`list ${bucket}/${prefix} in ${this.#root}`, error, signal)
    }
  }

  async get(bucket: string, key: string, signal: AbortSignal): Promise<StoredObject> {
    const act = `get ${bucket}/${key} from ${this.#root}`
    const bytes = readObject(objectPath(this.#root, bucket, key), signal)
    return { bytes: withFailure(bytes, (error) => folderFailure(act, error, signal)) }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #put(object: PutObject, signal: AbortSignal): Promise<void> {
    const { bucket, key, content, formerSha256s } = object
    const path = objectPath(this.#root, bucket, key)
    const partialPath = join(
      this.#root,
      PARTIAL_FOLDER,
      this.#clock.randomBytes(16).toString('hex'),
    )
    try {
      await this.#ensureFolder(dirname(partialPath))
      await this.#ensureFolder(dirname(path))
      await writeDurably(partialPath, content, signal)
      // Opened first: from the link on, only the sync may fail, and then the effect is unknown.
      await using folder = await open(dirname(path), 'r')
      await linkOrCompare(partialPath, path, [content.sha256, ...formerSha256s])
      await folder.sync()
    } catch (error) {
      // Somebody may have removed a folder that was known to exist.
      this.#folders.clear()
      throw error
    } finally {
      // What remains is swept at the next start.
      await unlink(partialPath).catch(() => undefined)
    }
  }

  /** Makes the folder and its ancestors, and their names durable, once for each in this process. */
  #ensureFolder(path: string): Promise<void> {
    const known = this.#folders.get(path)
    if (known !== undefined) return known
    if (this.#folders.size >= FOLDERS_KNOWN_MAX) this.#folders.clear()
    const ensuring = this.#makeFolder(path)
    this.#folders.set(path, ensuring)
    return ensuring
  }

  async #makeFolder(path: string): Promise<void> {
    if (path === this.#root) {
      await makeRoot(path)
      return
    }
    await this.#ensureFolder(dirname(path))
    await mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    // Also where it existed: whoever made it may have died before this.
    await syncFolder(dirname(path))
  }
}

async function* withFailure(
  bytes: AsyncIterable<Buffer>,
  failure: (error: unknown) => DeliveryError,
): AsyncGenerator<Buffer> {
  try {
    yield* bytes
  } catch (error) {
    throw failure(error)
  }
}

async function makeRoot(root: string): Promise<void> {
  for (const path of await makeDirectories(root)) await syncFolder(dirname(path))
}

async function writeDurably(
  path: string,
  content: OutputContent,
  signal: AbortSignal,
): Promise<void> {
  await using file = await open(path, 'wx')
  for (let start = 0; start < content.sizeBytes; start += PIECE_BYTES) {
    signal.throwIfAborted()
    const end = Math.min(start + PIECE_BYTES, content.sizeBytes)
    await file.writeFile(await content.read(start, end))
  }
  await file.sync()
}

async function linkOrCompare(
  partialPath: string,
  path: string,
  acceptedSha256s: readonly string[],
): Promise<void> {
  try {
    await link(partialPath, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const sha256 = await readSha256(path).catch((cause: unknown) => {
      const message = `Cannot put ${path}: what is there can not be read`
      const options = { retryable: true, effect: 'unknown', brake: true, cause } as const
      throw new DeliveryError('S3.InvalidObjectState', message, options)
    })
    if (acceptedSha256s.includes(sha256)) return
    const message = `Cannot put ${path}: another object is there`
    const options = { retryable: false, effect: 'unknown' } as const
    throw new DeliveryError('S3.PreconditionFailed', message, options)
  }
}

async function readSha256(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const hash = createHash('sha256')
  for await (const bytes of file.createReadStream({ autoClose: false })) hash.update(bytes)
  return hash.digest('hex')
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

type Classification = DeliveryErrorOptions & { readonly errorCode: string }

/** What an operator mends, by the file system's error; none of them leaves an object. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'S3.AccessDenied',
  EPERM: 'S3.AccessDenied',
  EROFS: 'S3.AccessDenied',
  ENAMETOOLONG: 'S3.KeyTooLongError',
  // A key is a folder of another key (see folder-path.ts).
  ENOTDIR: 'S3.InvalidObjectName',
  // The bucket's folder is on another file system than the root.
  EXDEV: 'S3.InvalidBucketState',
}

/** The failure of a put, in the same terms as S3's. */
export function folderFailure(act: string, error: unknown, signal: AbortSignal): DeliveryError {
  if (error instanceof DeliveryError) return error
  const { errorCode, ...classification } = classify(error, signal)
  const cause = error instanceof Error ? error.message : String(error)
  return new DeliveryError(errorCode, `Cannot ${act}: ${cause}`, {
    ...classification,
    cause: error,
  })
}

function classify(error: unknown, signal: AbortSignal): Classification {
  if (signal.aborted) return { errorCode: 'S3.RequestAborted', retryable: true, effect: 'unknown' }
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const refusal = REFUSALS[code]
  if (refusal !== undefined) {
    return { errorCode: refusal, retryable: true, effect: 'none', brake: true }
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return { errorCode: 'S3.InsufficientStorage', retryable: true, effect: 'unknown' }
  }
  return { errorCode: 'S3.InternalError', retryable: true, effect: 'unknown' }
}
