/**
 * The objects of a fake S3, in memory, with their whole history: every version that a PUT or a
 * CompleteMultipartUpload made, so that a test can see an overwrite and not just its result.
 */
import { createHash, randomUUID } from 'node:crypto'

export interface ObjectVersion {
  readonly bytes: Buffer
  readonly etag: string
  /** Lower-case request headers that S3 keeps: content type and encoding, checksums, metadata. */
  readonly headers: Readonly<Record<string, string>>
  readonly conditional: boolean
}

export interface Upload {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly parts: Map<number, { bytes: Buffer; etag: string }>
}

/** What S3 answers instead: an HTTP status and a code. */
export class S3Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}

export class S3Bucket {
  /** Versions by key, oldest first. */
  readonly versions = new Map<string, ObjectVersion[]>()
  readonly uploads = new Map<string, Upload>()

  current(key: string): ObjectVersion {
    const version = this.versions.get(key)?.at(-1)
    if (version === undefined) throw new S3Refusal(404, 'NoSuchKey')
    return version
  }

  /** @throws S3Refusal 412 when `conditional` and the key is taken */
  put(
    key: string,
    bytes: Buffer,
    headers: Record<string, string>,
    conditional: boolean,
  ): ObjectVersion {
    return this.#add(key, { bytes, etag: md5(bytes), headers, conditional })
  }

  createUpload(key: string, headers: Record<string, string>): string {
    const uploadId = randomUUID()
    this.uploads.set(uploadId, { key, headers, parts: new Map() })
    return uploadId
  }

  uploadPart(uploadId: string, partNumber: number, bytes: Buffer): string {
    const etag = md5(bytes)
    this.#upload(uploadId).parts.set(partNumber, { bytes, etag })
    return etag
  }

  completeUpload(
    uploadId: string,
    parts: readonly { partNumber: number; etag: string }[],
    conditional: boolean,
  ): ObjectVersion {
    const upload = this.#upload(uploadId)
    const chosen = parts.map(({ partNumber, etag }) => {
      const part = upload.parts.get(partNumber)
      if (part === undefined || part.etag !== etag) throw new S3Refusal(400, 'InvalidPart')
      return part
    })
    const bytes = Buffer.concat(chosen.map((part) => part.bytes))
    const etag = `${md5(bytes)}-${chosen.length}`
    const version = this.#add(upload.key, { bytes, etag, headers: upload.headers, conditional })
    this.uploads.delete(uploadId)
    return version
  }

  abortUpload(uploadId: string): void {
    this.#upload(uploadId)
    this.uploads.delete(uploadId)
  }

  /** Keys that were written more than once with different bytes: each is a broken promise. */
  rewrittenKeys(): string[] {
    return [...this.versions]
      .filter(([, versions]) => new Set(versions.map(({ bytes }) => md5(bytes))).size > 1)
      .map(([key]) => key)
  }

  #add(key: string, version: ObjectVersion): ObjectVersion {
    const versions = this.versions.get(key)
    if (version.conditional && versions !== undefined) {
      throw new S3Refusal(412, 'PreconditionFailed')
    }
    this.versions.set(key, [...(versions ?? []), version])
    return version
  }

  #upload(uploadId: string): Upload {
    const upload = this.uploads.get(uploadId)
    if (upload === undefined) throw new S3Refusal(404, 'NoSuchUpload')
    return upload
  }
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
