import { glob, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import { fileKey } from './file-identity.ts'
import type { FilePosition } from './file-identity.ts'

/** What rotation leaves compressed was sent before, when it was not. */
const COMPRESSED = /\.(?:gz|tgz|bz2|xz|lzma|zst|lz4|zip|z)$/i
/** Numbers and dates that rotation puts behind a name: `.1`, `-20261121`, `.2026-11-21-10`. */
const ROTATION_SUFFIX = /(?:[.-]\d+)+$/

export interface FoundFile {
  readonly path: string
  readonly device: string
  readonly inode: string
  readonly modifiedNs: bigint
  /** The pattern that found it. */
  readonly pattern: string
}

/**
 * The files that patterns name, each once, the one that was changed least recently first. A name that
 * is there is taken as it is; links are followed; compressed files and directories are passed over.
 */
export async function findFiles(
  patterns: readonly string[],
  logger: Logger,
): Promise<readonly FoundFile[]> {
  const found = new Map<string, FoundFile>()
  for (const pattern of patterns) {
    for (const path of await namesOf(pattern, logger)) {
      const file = await look(path, pattern)
      if (file !== undefined && !found.has(fileKey(file))) found.set(fileKey(file), file)
    }
  }
  return [...found.values()].toSorted(byAge)
}

/** The file of that device and inode beside its old path: rotation renames within a directory. */
export async function findMoved(position: FilePosition): Promise<FoundFile | undefined> {
  const directory = dirname(position.path)
  const names = await readdir(directory).catch(() => [])
  for (const name of names) {
    const file = await look(join(directory, name), position.path)
    if (file !== undefined && fileKey(file) === fileKey(position)) return file
  }
  return undefined
}

/** Files of one series come after one another: `app.log`, `app.log.1`, `app.log-20261121`. */
export function seriesOf(path: string): string {
  const name = basename(path)
  return join(dirname(path), name.replace(ROTATION_SUFFIX, '') || name)
}

async function namesOf(pattern: string, logger: Logger): Promise<readonly string[]> {
  if ((await look(pattern, pattern)) !== undefined) return [pattern]
  try {
    const names: string[] = []
    for await (const name of glob(pattern)) names.push(name)
    return names
  } catch (error) {
    logger.warn({ pattern, error }, 'Cannot look for files')
    return []
  }
}

async function look(path: string, pattern: string): Promise<FoundFile | undefined> {
  if (COMPRESSED.test(path)) return undefined
  // Gone, or not ours to see: it may be another time.
  const seen = await stat(path, { bigint: true }).catch(() => undefined)
  if (seen?.isFile() !== true) return undefined
  return {
    path,
    device: String(seen.dev),
    inode: String(seen.ino),
    modifiedNs: seen.mtimeNs,
    pattern,
  }
}

/** Where times are equal, the higher number is the older file, and the bare name the youngest. */
function byAge(one: FoundFile, other: FoundFile): number {
  if (one.modifiedNs !== other.modifiedNs) return one.modifiedNs < other.modifiedNs ? -1 : 1
  return other.path.localeCompare(one.path, 'en', { numeric: true })
}
