import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { findFiles, findMoved, seriesOf } from './file-search.ts'

function folderOf(names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'standpipe-search-'))
  for (const [index, name] of names.entries()) {
    writeFileSync(join(folder, name), name)
    utimesSync(join(folder, name), 1_000 - index, 1_000 - index)
  }
  return folder
}

async function found(folder: string, ...patterns: string[]): Promise<string[]> {
  const paths = patterns.map((pattern) => join(folder, pattern))
  const files = await findFiles(paths, silentLogger)
  return files.map(({ path }) => path.slice(folder.length + 1))
}

test('files come in the order in which they were last written, each once', async () => {
  const folder = folderOf(['a.log', 'b.log', 'c.txt'])
  expect(await found(folder, '*.log', 'b*', 'none')).toEqual(['b.log', 'a.log'])
})

test('where times are equal, the bare name is the youngest', async () => {
  const names = ['app.log', 'app.log.10', 'app.log.9']
  const folder = folderOf(names)
  for (const name of names) utimesSync(join(folder, name), 5, 5)
  expect(await found(folder, 'app.log*')).toEqual(['app.log.10', 'app.log.9', 'app.log'])
})

test('compressed files, folders and links that lead nowhere are passed over', async () => {
  const folder = folderOf(['app.log', 'app.log.1.gz', 'app.log.2.bz2', 'app.log.3.zst'])
  mkdirSync(join(folder, 'app.log.d'))
  symlinkSync(join(folder, 'nowhere'), join(folder, 'app.log.link'))
  symlinkSync(join(folder, 'app.log'), join(folder, 'app.log.same'))
  expect(await found(folder, 'app.log*', 'app.log.1.gz', 'app.log.d')).toHaveLength(1)
})

test('a name that looks like a pattern is a name when it is there', async () => {
  const folder = folderOf(['a[1].log', 'a1.log'])
  expect(await found(folder, 'a[1].log')).toEqual(['a[1].log'])
})

test('a file that was renamed is found beside its old name', async () => {
  const folder = folderOf(['app.log', 'b.log'])
  const { dev, ino } = statSync(join(folder, 'app.log'))
  renameSync(join(folder, 'app.log'), join(folder, 'app.log.1'))
  const position = {
    path: join(folder, 'app.log'),
    device: String(dev),
    inode: String(ino),
    headBytes: 0,
    headSha256: '',
    offset: 0,
    sizeBytes: 0,
  }
  expect(await findMoved(position)).toMatchObject({ path: join(folder, 'app.log.1') })
  expect(await findMoved({ ...position, inode: '0' })).toBeUndefined()
  expect(await findMoved({ ...position, path: '/nowhere/app.log' })).toBeUndefined()
})

test.each([
  ['/var/app.log', '/var/app.log'],
  ['/var/app.log.12', '/var/app.log'],
  ['/var/app.log-20261121', '/var/app.log'],
  ['/var/app.log.2026-11-21.1', '/var/app.log'],
  ['/var/app-2.log', '/var/app-2.log'],
  ['/var/.1', '/var/.1'],
])('%s is of the series %s', (path, series) => {
  expect(seriesOf(path)).toBe(series)
})
