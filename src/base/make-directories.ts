import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory and what is missing above it; resolves with those that were missing, uppermost
 * first. Unlike Node's recursive mkdir it always ends: that one tries for ever where a directory is
 * there and takes none, as /proc.
 * @throws the system's error; EEXIST where a file is in the way
 */
export async function makeDirectories(path: string): Promise<readonly string[]> {
  const missing: string[] = []
  for (let at = resolve(path); !(await isThere(at)); at = dirname(at)) missing.unshift(at)
  for (const directory of missing) await makeDirectory(directory)
  // A file by that name, which mkdir refuses in the system's words.
  if (missing.length === 0 && !(await stat(path)).isDirectory()) await mkdir(path)
  return missing
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

/** Somebody else may make it at the same time. */
async function makeDirectory(path: string): Promise<void> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
