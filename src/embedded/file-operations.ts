import { dirname } from 'node:path'
import { errorCode } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

/** Makes the directory and what is missing above it, durably. */
export async function makeDirectories(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.makeDirectory(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectories(fileSystem, dirname(path))
    await fileSystem.makeDirectory(path)
  }
  // Also when it was there: whoever made it may have died before this.
  await fileSystem.syncDirectory(dirname(path))
}

/** In the place of one that was left behind by a failed attempt, if need be. */
export async function createAnew(fileSystem: FileSystem, path: string): Promise<OpenFile> {
  try {
    return await fileSystem.open(path, 'create')
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    await unlinkIfThere(fileSystem, path)
    return fileSystem.open(path, 'create')
  }
}

/** Whether there was a file to remove. */
export async function unlinkIfThere(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.unlink(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Opens the file for as long as `use` takes. */
export async function withFile<Result>(
  opening: Promise<OpenFile>,
  use: (file: OpenFile) => Promise<Result>,
): Promise<Result> {
  const file = await opening
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** Opens the file for reading, for as long as `use` takes; undefined when there is none. */
export async function withFileIfThere<Result>(
  fileSystem: FileSystem,
  path: string,
  use: (file: OpenFile) => Promise<Result>,
): Promise<Result | undefined> {
  let file: OpenFile
  try {
    file = await fileSystem.open(path, 'read')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  return withFile(Promise.resolve(file), use)
}
