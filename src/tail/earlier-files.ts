/** Where the files of an earlier run are now. */
import { fileKey } from './file-identity.ts'
import type { FilePosition } from './file-identity.ts'
import { findMoved, seriesOf } from './file-search.ts'
import type { FoundFile } from './file-search.ts'
import { isSameFile } from './followed-file.ts'
import type { OpenedFile } from './followed-file.ts'

export interface EarlierFiles {
  readonly resumed: readonly Resumed[]
  /** They are there and can't be opened now. */
  readonly unreadable: readonly FilePosition[]
  readonly gone: readonly Gone[]
}

export interface Resumed {
  readonly opened: OpenedFile
  readonly position: FilePosition
  readonly offset: number
}

export interface Gone {
  readonly position: FilePosition
  /** How much of it is in a copy that is resumed in its stead; 0 when there is none. */
  readonly copyBytes: number
}

type Open = (found: FoundFile) => Promise<OpenedFile | undefined>

/**
 * Finds each file by its inode, under a pattern or beside its old name; or else, for one that was
 * truncated, the copy that rotation has made of it. A file that was empty is known by its inode only,
 * which may be another's by now: under a pattern it is as good as new, beside its old name it must have
 * one of the same series.
 */
export async function findEarlier(
  positions: readonly FilePosition[],
  found: readonly FoundFile[],
  open: Open,
): Promise<EarlierFiles> {
  const resumed = new Map<FilePosition, Resumed>()
  const unreadable: FilePosition[] = []
  const gone: Gone[] = []
  /** Inodes that are somebody's. */
  const known = new Set<string>()

  /** @returns whether it is there */
  const takeByInode = async (position: FilePosition): Promise<boolean> => {
    const key = fileKey(position)
    const isThere = (file: FoundFile): boolean => fileKey(file) === key
    const place = known.has(key) ? undefined : (found.find(isThere) ?? (await findMoved(position)))
    if (place === undefined) return false
    const opened = await open(place)
    if (opened === undefined) unreadable.push(position)
    else if (isWhole(opened, position)) {
      resumed.set(position, { opened, position, offset: position.offset })
    } else {
      await opened.handle.close()
      return false
    }
    known.add(key)
    return true
  }
  const takeCopy = async (position: FilePosition): Promise<void> => {
    const others = found.filter((file) => !known.has(fileKey(file)))
    const copy = await openCopy(position, others, open)
    const copyBytes = copy?.sizeBytes ?? 0
    gone.push({ position, copyBytes })
    if (copy === undefined) return
    const offset = Math.min(position.offset, copyBytes)
    resumed.set(position, { opened: copy, position, offset })
    known.add(fileKey(copy.found))
  }

  const missing: FilePosition[] = []
  // From the last: it is what was last in its inode.
  for (const position of positions.toReversed()) {
    if (position.headBytes > 0 && !(await takeByInode(position))) missing.unshift(position)
  }
  for (const position of missing) await takeCopy(position)
  for (const position of positions.filter(({ headBytes }) => headBytes === 0)) {
    const isFound = found.some((file) => fileKey(file) === fileKey(position))
    const moved = isFound ? undefined : await findMoved(position)
    const isOfSeries = moved !== undefined && seriesOf(moved.path) === seriesOf(position.path)
    if (isOfSeries) await takeByInode(position)
  }
  const inOrder = positions.flatMap((position) => resumed.get(position) ?? [])
  return { resumed: inOrder, unreadable, gone }
}

/** Whether `path` is what rotation calls a copy of `original`: `app.log.1` of `app.log`. */
export function isCopyName(path: string, original: string): boolean {
  return path !== original && seriesOf(path) === original
}

function isWhole(opened: OpenedFile, position: FilePosition): boolean {
  return isSameFile(opened, position) && opened.sizeBytes >= position.offset
}

async function openCopy(
  position: FilePosition,
  found: readonly FoundFile[],
  open: Open,
): Promise<OpenedFile | undefined> {
  for (const file of found.filter(({ path }) => isCopyName(path, position.path))) {
    const opened = await open(file)
    if (opened !== undefined && isSameFile(opened, position)) return opened
    await opened?.handle.close()
  }
  return undefined
}
