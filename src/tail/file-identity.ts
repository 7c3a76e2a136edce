/**
 * Which file is which. A path is not enough, for rotation moves files; device and inode are not
 * either, for an inode is used again after its file is gone, and stays the same when a file is
 * truncated. So a file is known by its first bytes too: they never change while lines are appended.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** How many of the first bytes make the fingerprint, once the file is as long. */
export const HEAD_BYTES_MAX = 1024

/** Where a file is, who it is, and how far it is sent. */
export interface FilePosition {
  readonly path: string
  /** Decimal, as they may be longer than a number is exact. */
  readonly device: string
  readonly inode: string
  readonly headBytes: number
  readonly headSha256: string
  /** All before it is acknowledged. */
  readonly offset: number
  /** How long the file was when it was last looked at. */
  readonly sizeBytes: number
}

/** The same for two names of one file. */
export function fileKey({ device, inode }: Pick<FilePosition, 'device' | 'inode'>): string {
  return `${device}:${inode}`
}

export function sha256Of(head: Buffer): string {
  return createHash('sha256').update(head).digest('hex')
}

/** The bytes from `offset` on, as many as there are, up to a count. */
export async function readAt(
  handle: FileHandle,
  offset: number,
  byteCount: number,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(byteCount)
  let filled = 0
  while (filled < byteCount) {
    const { bytesRead } = await handle.read(buffer, filled, byteCount - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
