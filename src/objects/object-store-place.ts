import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { ObjectReader, ObjectStore } from '../object-store.ts'
import { FolderObjectStore } from './folder-object-store.ts'

/** Where objects are, in a form that can be sent to another thread. */
export type ObjectStorePlace =
  | { readonly kind: 'folder'; readonly root: string }
  | {
      readonly kind: 's3'
      readonly region: string
      readonly endpoint?: string
      readonly forcePathStyle: boolean
      readonly requestTimeoutMs: number
    }

export async function openObjectStore(
  place: ObjectStorePlace,
  clock: Clock,
  logger: Logger,
): Promise<ObjectStore & ObjectReader> {
  if (place.kind === 'folder') return new FolderObjectStore({ root: place.root, clock })
  // The AWS SDK doubles a thread's heap; who has folders needs none of it.
  const { S3ObjectStore } = await import('./s3-object-store.ts')
  return new S3ObjectStore({ ...place, logger })
}
