/** `standpipe data export` and `import` as an operator sees them. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fill, SSE_KEY } from '../../test/transfer/filled-place.ts'
import { Places } from '../../test/transfer/places.ts'

const bin = fileURLToPath(new URL('../../bin/standpipe.js', import.meta.url))
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'standpipe-transfer-cli-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function data(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'data', ...words], {
    cwd: directory,
    env: { PATH: process.env['PATH'], STANDPIPE_SSE_KEY: SSE_KEY },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('says what was exported and imported, and what was there already', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await fill(source)
  await source.close()
  const exported = data('export', 'all', '--data-dir', places.file('source'))
  expect(exported).toMatchObject({ status: 0, stdout: expect.stringMatching(EXPORTED) })
  const imported = data('import', 'all', '--data-dir', 'target')
  expect(imported).toMatchObject({ status: 0, stdout: expect.stringMatching(IMPORTED) })
  expect(data('check', '--data-dir', 'target')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Nothing is wrong.'),
  })
  expect(data('import', 'all', '--data-dir', 'target')).toMatchObject({
    status: 0,
    stdout:
      'Imported 0 streams with 0 batches (0 records, 0 B), 0 receipts, 0 replayed parts and 0 source positions.\n' +
      '3 streams with 5 batches were there already, and nothing was done to them.\n',
  })
  const report = data('import', 'all', '--data-dir', 'target', '--json')
  expect(JSON.parse(report.stdout)).toMatchObject({ knownStreamCount: 3, knownBatchCount: 5 })
})

const COUNTS =
  '3 streams with 5 batches \\(15 records, .* KiB\\), 120 receipts, 2 replayed parts and 3 source positions'
const EXPORTED = new RegExp(`^Exported ${COUNTS} to all, .* KiB\\.\\n$`)
const IMPORTED = new RegExp(`^Imported ${COUNTS}\\.\\n$`)

test.each([
  [['export'], 2, 'Cannot run: the file to write is missing'],
  [['import', 'a', 'b'], 2, 'Cannot run: "b" is too much'],
  [
    ['export', 'all', '--data-dir', '..'],
    1,
    'Cannot export ..: it is no data directory of Standpipe',
  ],
  [['export', 'other', '--data-dir', '.'], 1, 'Cannot export to other: the file exists'],
  [
    ['export', 'no/where', '--data-dir', '.'],
    1,
    'Cannot export: ENOENT: no such file or directory',
  ],
  [['import', 'nowhere'], 1, 'Cannot import nowhere: there is no such file'],
  [['import', 'other'], 1, 'Cannot import other: it is no export of Standpipe'],
  [['import', 'newer'], 1, 'Cannot import newer: it was written by another version'],
  [
    ['import', 'short'],
    1,
    'Cannot import short: it is cut short or damaged: unexpected end of file',
  ],
])('%s ends with %i and one line', (words, status, beginning) => {
  writeFileSync(join(directory, 'catalog.db'), '')
  writeFileSync(join(directory, 'other'), 'something else that is long enough')
  writeFileSync(join(directory, 'newer'), 'standpipe transfer 3\n')
  writeFileSync(join(directory, 'short'), 'standpipe transfer 1\n')
  const { stderr, ...ended } = data(...words)
  expect(ended).toEqual({ status, stdout: '' })
  expect(stderr.split('\n')).toEqual([expect.stringContaining(beginning), ''])
})
