import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { PositionFile, PositionsUnusable } from './position-file.ts'

function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), 'standpipe-positions-')), 'new', 'positions.json')
}

const POSITIONS = {
  streamName: 'logs',
  patterns: ['/var/log/*.log'],
  files: [
    {
      path: '/var/log/a.log',
      device: '2049',
      inode: '18446744073709551615',
      headBytes: 2,
      headSha256: 'ab',
      offset: 10,
      sizeBytes: 12,
    },
  ],
}

test('what was written last is read', async () => {
  const path = freshPath()
  const first = await PositionFile.open(path)
  expect(await first.read('logs')).toBeUndefined()
  await first.write({ ...POSITIONS, files: [] })
  await first.write(POSITIONS)
  first.close()
  expect(readdirSync(dirname(path)).toSorted()).toEqual(['positions.json', 'positions.json.lock'])
  const second = await PositionFile.open(path)
  expect(await second.read('logs')).toMatchObject(POSITIONS)
  second.close()
})

test('one tail at a time uses it', async () => {
  const path = freshPath()
  const first = await PositionFile.open(path)
  const refused = `Cannot use ${path}: another standpipe tail is using it`
  await expect(PositionFile.open(path)).rejects.toThrow(new PositionsUnusable(refused))
  first.close()
  const second = await PositionFile.open(path)
  second.close()
})

test('a place that can not be made is refused', async () => {
  await expect(PositionFile.open('/dev/null/positions.json')).rejects.toThrow(PositionsUnusable)
})

test.each([
  ['{', 'it is no file of positions of this version'],
  ['{"version":2}', 'it is no file of positions of this version'],
  [
    JSON.stringify({ version: 1, ...POSITIONS, files: [{ path: 'a' }] }),
    'it is no file of positions of this version',
  ],
  [JSON.stringify({ version: 1, ...POSITIONS }), 'its positions are those of stream logs'],
])('what is something else is left alone: %s', async (text, reason) => {
  const path = freshPath()
  using file = disposable(await PositionFile.open(path))
  writeFileSync(path, text)
  await expect(file.value.read('other')).rejects.toThrow(`Cannot use ${path}: ${reason}`)
})

function disposable(value: PositionFile): Disposable & { value: PositionFile } {
  return { value, [Symbol.dispose]: () => value.close() }
}
