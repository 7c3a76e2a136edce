import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withFile } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import { nodeFileSystem } from './node-file-system.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'standpipe-files-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('more buffers than one system call takes are written back to back, empty ones too', async () => {
  const buffers = Array.from({ length: 3_000 }, (_, index) =>
    Buffer.from(index % 7 === 0 ? '' : `${index},`),
  )
  await withFile(nodeFileSystem.open(join(directory, 'file'), 'create'), async (file) => {
    await file.write([Buffer.from('head:')], 0)
    await file.write(buffers, 5)
    const expected = `head:${Buffer.concat(buffers).toString()}`
    const read = Buffer.alloc(await file.sizeBytes())
    expect(await file.read(read, 0)).toBe(expected.length)
    expect(read.toString()).toBe(expected)
  })
})

test('a read at the end of a file is short', async () => {
  await withFile(nodeFileSystem.open(join(directory, 'file'), 'create'), async (file) => {
    await file.write([Buffer.from('12345')], 0)
    const buffer = Buffer.alloc(10, '-')
    expect(await file.read(buffer, 2)).toBe(3)
    expect(buffer.toString()).toBe('345-------')
    expect(await file.read(buffer, 9)).toBe(0)
  })
})

test('a file is created once, and one that is missing is told by its code', async () => {
  const path = join(directory, 'file')
  expect(await codeOf(nodeFileSystem.open(path, 'read'))).toBe('ENOENT')
  expect(await codeOf(nodeFileSystem.open(path, 'update'))).toBe('ENOENT')
  await withFile(nodeFileSystem.open(path, 'create'), (file) => file.datasync())
  expect(await codeOf(nodeFileSystem.open(path, 'create'))).toBe('EEXIST')
})

test('directories may be made twice, and one that is missing is empty', async () => {
  const path = join(directory, 'inner')
  expect(await nodeFileSystem.list(path)).toEqual([])
  await nodeFileSystem.makeDirectory(path)
  await nodeFileSystem.makeDirectory(path)
  await nodeFileSystem.syncDirectory(directory)
  expect(await nodeFileSystem.list(directory)).toEqual(['inner'])
  expect(await nodeFileSystem.freeBytes(path)).toBeGreaterThan(0)
})

function codeOf(opening: Promise<unknown>): Promise<string | undefined> {
  return opening.then(() => 'opened', errorCode)
}
