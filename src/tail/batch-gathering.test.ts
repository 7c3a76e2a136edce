import { mkdtempSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { BatchGathering } from './batch-gathering.ts'
import { FollowedFiles } from './followed-files.ts'
import { RECORD_BYTES_MAX } from './record-shape.ts'
import type { ShapedRecord } from './record-shape.ts'
import type { CutRecord } from './record-cutter.ts'

const MEBIBYTE = 1024 * 1024

/** The files are as old as they come first. */
async function follow(contents: Readonly<Record<string, string>>): Promise<FollowedFiles> {
  const folder = mkdtempSync(join(tmpdir(), 'standpipe-gathering-'))
  for (const [index, [name, content]] of Object.entries(contents).entries()) {
    writeFileSync(join(folder, name), content)
    utimesSync(join(folder, name), 1_000 + index, 1_000 + index)
  }
  const files = new FollowedFiles(
    {
      patterns: Object.keys(contents).map((name) => join(folder, name)),
      from: 'start',
      cutting: { recordBytesMax: RECORD_BYTES_MAX, skipHeaderLines: 0, startsRecord: undefined },
      clock: systemClock,
      logger: silentLogger,
      onGap: () => {},
    },
    undefined,
  )
  onTestFinished(() => files.close())
  await files.look()
  return files
}

function asItIs({ data, isTruncated }: CutRecord): ShapedRecord {
  return { data, isTruncated, isUnmatched: false }
}

test('a batch has at most 500 records', async () => {
  const files = await follow({ a: 'x\n'.repeat(1_001) })
  const gathering = new BatchGathering(files, asItIs)
  const counts = []
  for (let turn = 0; turn < 4; turn += 1) counts.push((await gathering.next()).records.length)
  expect(counts).toEqual([500, 500, 1, 0])
})

test('a batch has at most 4 MiB, and no more is read than it takes and a piece', async () => {
  const files = await follow({ a: `${'x'.repeat(MEBIBYTE / 2)}\n`.repeat(32) })
  const { records, dataBytes } = await new BatchGathering(files, asItIs).next()
  expect({ count: records.length, dataBytes }).toEqual({
    count: 7,
    dataBytes: 7 * (MEBIBYTE / 2 + 1),
  })
  expect(files.all[0]?.unreadBytes).toBeGreaterThan(11 * MEBIBYTE)
})

test('where nothing is to be sent, what is read for one batch is bounded too', async () => {
  const files = await follow({ a: `${'x'.repeat(1023)}\n`.repeat(20 * 1024) })
  const gathering = new BatchGathering(files, () => ({
    data: undefined,
    isTruncated: false,
    isUnmatched: true,
  }))
  const { unmatchedCount, reached } = await gathering.next()
  expect({ unmatchedCount, reached: [...reached.values()] }).toEqual({
    unmatchedCount: 16 * 1024,
    reached: [16 * MEBIBYTE],
  })
})

test('a file that is long leaves the others their turn', async () => {
  const files = await follow({ a: 'a\n'.repeat(1_500), b: 'b\n'.repeat(600), c: 'c\n' })
  const gathering = new BatchGathering(files, asItIs)
  const letters = []
  for (let turn = 0; turn < 5; turn += 1) {
    const { records } = await gathering.next()
    letters.push([...new Set(records.map((record) => record.toString().trim()))].join(''))
  }
  expect(letters).toEqual(['a', 'b', 'ca', 'ba', 'a'])
})
