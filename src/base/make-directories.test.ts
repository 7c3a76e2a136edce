import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDirectories } from './make-directories.ts'

let parent: string

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'directories-'))
})
afterEach(async () => {
  await rm(parent, { recursive: true })
})

test('makes what is missing, says what, and does nothing the second time', async () => {
  const path = join(parent, 'a', 'b')
  expect(await makeDirectories(path)).toEqual([join(parent, 'a'), path])
  expect((await stat(path)).isDirectory()).toBe(true)
  expect(await makeDirectories(path)).toEqual([])
})

test('several may make the same directory at once', async () => {
  const path = join(parent, 'a', 'b', 'c')
  await Promise.all(Array.from({ length: 8 }, () => makeDirectories(path)))
  expect((await stat(path)).isDirectory()).toBe(true)
})

test('a file in the way is an error', async () => {
  const file = join(parent, 'file')
  await writeFile(file, '')
  await expect(makeDirectories(file)).rejects.toThrow(/^EEXIST.*file'$/)
  await expect(makeDirectories(join(file, 'x'))).rejects.toThrow(/^ENOTDIR/)
})

test.skipIf(process.platform !== 'linux')(
  'ends where a directory is there and takes none',
  async () => {
    await expect(makeDirectories('/proc/x/y')).rejects.toThrow(/^ENOENT.*mkdir '\/proc\/x'$/)
  },
)
