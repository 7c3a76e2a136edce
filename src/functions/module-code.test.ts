import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CODE_FILES_MAX, listCode, readCode, signatureOf } from './module-code.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'standpipe-code-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function write(name: string, text = ''): void {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
}

async function listed(): Promise<string[]> {
  return (await listCode(root)).map(({ path }) => relative(root, path))
}

test('files are listed from the top down, without packages and what is hidden', async () => {
  for (const name of [
    'lib/z.ts',
    'lib/deep/y.ts',
    'b.csv',
    'a.ts',
    '.git/x',
    'lib/node_modules/x.js',
  ]) {
    write(name)
  }
  symlinkSync('/none', join(root, 'broken.ts'))
  expect(await listed()).toEqual(['a.ts', 'b.csv', 'lib/z.ts', 'lib/deep/y.ts'])
})

test('a link in a circle and a thousand files have an end', async () => {
  write('a.ts')
  write('lib/b.ts')
  symlinkSync('..', join(root, 'lib/up'))
  expect(await listed()).toContain('lib/b.ts')
  for (let index = 0; index < CODE_FILES_MAX; index += 1) write(`f${index}.js`)
  const names = await listed()
  expect(names).toHaveLength(CODE_FILES_MAX)
  expect(names).toContain('a.ts')
})

test('what is not there has no files', async () => {
  rmSync(root, { recursive: true })
  expect(await listed()).toEqual([])
  mkdirSync(root)
})

test('the signature tells a change of size, of time, and of names', async () => {
  const signature = async (): Promise<string> => signatureOf(await listCode(root))
  const seen = [await signature()]
  for (const change of [
    () => write('a.ts', '1'),
    () => write('a.ts', '22'),
    () => write('b.ts'),
    () => rmSync(join(root, 'b.ts')),
  ]) {
    change()
    expect(await signature()).not.toBe(seen.at(-1))
    expect(await signature()).toBe(await signature())
    seen.push(await signature())
  }
})

test.for([
  ['a.ts', 'export const a = 1', 'module-typescript'],
  ['a.ts', 'const a = 1\nmodule.exports = { a }', 'commonjs-typescript'],
  ['a.js', 'import "node:fs"', 'module'],
  ['a.js', "import{readFile}from'node:fs'", 'module'],
  ['a.js', 'export{a}\nconst a = 1', 'module'],
  ['a.js', 'export default 1', 'module'],
  ['a.js', "const a = await import('x')", 'commonjs'],
  ['a.js', '// export const a\nexports.a = 1', 'commonjs'],
  ['a.mjs', 'exports.a = 1', 'module'],
  ['a.cjs', 'export const a = 1', 'commonjs'],
  ['a.mts', '', 'module-typescript'],
  ['a.cts', '', 'commonjs-typescript'],
  ['a.json', '{}', 'json'],
] as const)('%s with %j is %s', async ([name, text, format]) => {
  write(name, text)
  const { sources } = await readCode(await listCode(root))
  expect([...sources]).toEqual([[`file://${root}/${name}`, { format, source: text }]])
})

test('only modules are read, and no more than 16 MiB of them', async () => {
  write('a.ts', '1')
  write('b.csv', '2')
  write('c.js', 'x'.repeat(16 * 1024 * 1024))
  write('d.js', '3')
  const { urls } = await readCode(await listCode(root))
  expect([...urls.keys()]).toEqual([join(root, 'a.ts')])
})
