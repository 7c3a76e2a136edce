/**
 * The code in a folder of functions at one moment. Threads load modules from it and not from disk, so
 * that a thread that is started (again) later runs the same code as those before it.
 *
 * All files are looked at for changes, by name, size and time of change; those that are modules are
 * read. `node_modules` and names that begin with a dot are left out. Beyond the bounds below nothing
 * is looked at or read: what is out there is loaded from disk as it is.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A module as Node's loader takes it. */
export interface ModuleSource {
  readonly format: string
  readonly source: string
}

export interface ModuleCode {
  /** By URL. */
  readonly sources: ReadonlyMap<string, ModuleSource>
  /** By path: the URL by which a module knows itself, and by which its neighbours find it. */
  readonly urls: ReadonlyMap<string, string>
}

export interface CodeFile {
  readonly path: string
  readonly sizeBytes: number
  readonly mtimeMs: number
  readonly inode: number
}

export const CODE_FILES_MAX = 1_000
const DIRECTORIES_MAX = 1_000
const SOURCE_BYTES_MAX = 16 * 1024 * 1024
const MODULE_EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json']

/** The files of a folder, those of the folder itself first; none when it is not there. */
export async function listCode(root: string): Promise<readonly CodeFile[]> {
  const files: CodeFile[] = []
  const directories = [root]
  for (const directory of directories) {
    const names = await readdir(directory).catch(ifGone<string[]>([]))
    const kept = names.filter((name) => name !== 'node_modules' && !name.startsWith('.'))
    const paths = kept.toSorted().map((name) => join(directory, name))
    const stats = await Promise.all(
      paths.slice(0, CODE_FILES_MAX).map((path) => stat(path).catch(ifGone(undefined))),
    )
    for (const [index, found] of stats.entries()) {
      const path = paths[index] ?? ''
      if (found?.isDirectory() === true && directories.length < DIRECTORIES_MAX) {
        directories.push(path)
      }
      if (found?.isFile() !== true) continue
      files.push({ path, sizeBytes: found.size, mtimeMs: found.mtimeMs, inode: found.ino })
      if (files.length === CODE_FILES_MAX) return files
    }
  }
  return files
}

/** Two lists with the same signature are of the same code, as far as one can tell without reading. */
export function signatureOf(files: readonly CodeFile[]): string {
  return JSON.stringify(files)
}

export async function readCode(files: readonly CodeFile[]): Promise<ModuleCode> {
  const sources = new Map<string, ModuleSource>()
  const urls = new Map<string, string>()
  let sizeBytes = 0
  for (const { path, sizeBytes: fileBytes } of files) {
    if (!MODULE_EXTENSIONS.includes(extname(path))) continue
    sizeBytes += fileBytes
    if (sizeBytes > SOURCE_BYTES_MAX) break
    const source = await readFile(path, 'utf8').catch(ifGone(undefined))
    if (source === undefined) continue
    const url = pathToFileURL(await realpath(path).catch(ifGone(path))).href
    sources.set(url, { format: formatOf(path, source), source })
    urls.set(path, url)
  }
  return { sources, urls }
}

const MODULE_SYNTAX = /^\s*(?:import\b\s*[\w${*'"]|export\b\s*[\w{*])/m

/**
 * As Node decides, except that the text of a `.js` or `.ts` file decides alone: a package.json
 * somewhere above the functions, e.g. Standpipe's own, says nothing about them.
 */
function formatOf(path: string, source: string): string {
  const extension = extname(path)
  if (extension === '.json') return 'json'
  const isModule =
    extension.startsWith('.m') || (!extension.startsWith('.c') && MODULE_SYNTAX.test(source))
  const format = isModule ? 'module' : 'commonjs'
  return extension.endsWith('ts') ? `${format}-typescript` : format
}

/** Files may go while they are looked at. */
function ifGone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ELOOP')
      return instead
    throw error
  }
}
