/**
 * The only way in which batch files are touched, so that the simulation can put a disk with torn
 * writes, lost syncs and no space in its place. Real: node-file-system.ts.
 *
 * What a crash (of the machine) leaves behind is what was synced, and anything between that and
 * what was written:
 * - a file's bytes and size are durable once `datasync` has resolved;
 * - a directory's entries (created, renamed, removed) are durable once `syncDirectory` of that
 *   directory has resolved; without it a synced file may be gone, or back under its old name.
 * A crash of the process alone loses nothing that was written.
 *
 * Failures reject with errors whose `code` is the system's: ENOENT, EEXIST, ENOSPC, EIO…
 */
export interface FileSystem {
  /**
   * - `create`: a new, empty file for reading and writing; EEXIST if there is one
   * - `update`: an existing file for reading and writing
   * - `read`: an existing file for reading
   */
  open(path: string, mode: 'create' | 'update' | 'read'): Promise<OpenFile>
  /** Replaces what is at `to`, in one step. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file; ENOENT if there is none. */
  unlink(path: string): Promise<void>
  /** Names of a directory's entries in no particular order; empty when there is no directory. */
  list(directory: string): Promise<string[]>
  /** Makes one directory, whose parent exists. Harmless when it exists. */
  makeDirectory(path: string): Promise<void>
  /** Removes an empty directory. ENOTEMPTY, ENOENT. */
  removeDirectory(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  /** Bytes that may still be written to the file system that `path` is on. */
  freeBytes(path: string): Promise<number>
}

export interface OpenFile {
  /**
   * Writes all of `buffers`, back to back, from `position`. When it fails, any part of them may
   * have been written.
   */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Fills `buffer` from `position`; returns the bytes read, fewer only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>
  /** Once it has failed, nothing is known about what was written since the last success. */
  datasync(): Promise<void>
  sizeBytes(): Promise<number>
  truncate(sizeBytes: number): Promise<void>
  close(): Promise<void>
}

/** The system's error code, e.g. `ENOENT`; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
