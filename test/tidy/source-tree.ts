import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { posix } from 'node:path'

/** A file of the repository; the path is relative to its root, with slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export interface Import {
  /** As a path from the root for our own files, else the package's name. */
  readonly target: string
  readonly typeOnly: boolean
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PATTERNS = [
  '*.{md,ts}',
  '{bench,bin,destinations,docs,functions,src,test}/**/*.{js,md,py,ts,sh}',
]
/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')` and worker URLs. */
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(type\s)?(?:[^'"`;]*?\sfrom\s)?'([^']+)'|import\('([^']+)'\)|new URL\('([^']+\.ts)', import\.meta\.url\)/g

export function readSourceTree(): SourceFile[] {
  const paths = PATTERNS.flatMap((pattern) => globSync(pattern, { cwd: ROOT }))
  return paths.toSorted().map((path) => ({ path, text: readFileSync(ROOT + path, 'utf8') }))
}

export function isTest(path: string): boolean {
  return path.startsWith('test/') || path.endsWith('.test.ts')
}

/** TypeScript that runs in production. */
export function isProduct(path: string): boolean {
  return /^(src|destinations)\/.*\.ts$/.test(path) && !isTest(path)
}

export function importsOf({ path, text }: SourceFile): Import[] {
  return [...text.matchAll(IMPORT)].map(([, type, from, dynamic, worker]) => {
    const specifier = from ?? dynamic ?? worker ?? ''
    const own = specifier.startsWith('.')
    const target = own ? posix.join(posix.dirname(path), specifier) : specifier
    return { target, typeOnly: type !== undefined }
  })
}

/** The code without comments, so that a rule does not trip over words about it. */
export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}
