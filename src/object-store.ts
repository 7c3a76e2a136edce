/**
 * Where objects go: S3 (any endpoint), or a local folder when there is no S3. A put is conditional on
 * the key not existing; an object that is there already with the same bytes is a success.
 */
import type { OutputContent } from './destination.ts'

export interface PutObject {
  readonly bucket: string
  readonly key: string
  readonly content: OutputContent
  readonly contentType: string
  readonly contentEncoding?: string
  /** SSE-KMS key; absent: the bucket's default applies. */
  readonly kmsKeyArn?: string
  /** Hashes that an object already under the key may have instead of the content's own. */
  readonly formerSha256s: readonly string[]
}

/** Reads objects back, whoever has written them; of all that Standpipe does only a replay does so. */
export interface ObjectReader {
  /**
   * The objects whose keys begin with `prefix`, in no particular order; memory does not depend on
   * how many there are.
   * @throws DeliveryError
   */
  list(bucket: string, prefix: string, signal: AbortSignal): AsyncIterable<ListedObject>
  /**
   * The object's bytes as they are stored; read to the end, or given up by ending the iteration.
   * @throws DeliveryError here or in the iteration
   */
  get(bucket: string, key: string, signal: AbortSignal): Promise<StoredObject>
}

export interface ListedObject {
  readonly key: string
  readonly sizeBytes: number
  readonly lastModifiedMs: number
}

export interface StoredObject {
  /** Absent in folders, which keep none. */
  readonly contentEncoding?: string
  readonly bytes: AsyncIterable<Buffer>
}

export interface ObjectStore {
  /** For messages and the audit: an endpoint or a folder. */
  readonly description: string
  /** Whether an object can have this key, which S3 would take. Absent: any such. */
  takesKey?(key: string): boolean
  /**
   * One attempt. Resolves when the object is durable under its key with exactly these bytes.
   * @throws DeliveryError
   */
  put(object: PutObject, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
