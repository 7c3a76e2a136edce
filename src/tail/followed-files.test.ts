import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { FollowedFiles } from './followed-files.ts'
import type { Positions } from './position-file.ts'

interface Followed {
  readonly folder: string
  readonly clock: ManualClock
  readonly files: FollowedFiles
  readonly complaints: string[]
  readonly gaps: number[]
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'standpipe-followed-'))
}

function follow(folder: string, pattern: string, earlier?: Positions): Followed {
  const clock = new ManualClock()
  const complaints: string[] = []
  const gaps: number[] = []
  const complain = (_: object, message: string): void => void complaints.push(message)
  const files = new FollowedFiles(
    {
      patterns: [join(folder, pattern)],
      from: 'start',
      cutting: { recordBytesMax: 100, skipHeaderLines: 0, startsRecord: undefined },
      clock,
      logger: { debug: () => {}, info: () => {}, warn: complain, error: complain },
      onGap: (_, lostBytes) => gaps.push(lostBytes),
    },
    earlier,
  )
  onTestFinished(() => files.close())
  return { folder, clock, files, complaints, gaps }
}

test('there is an end to how many files are open; others come once some are gone', async () => {
  const { folder, clock, files, complaints } = follow(newFolder(), '*')
  for (let index = 0; index < 1_002; index += 1) writeFileSync(join(folder, `${index}`), '')
  await files.look()
  await files.look()
  expect(files.all).toHaveLength(1_000)
  expect(complaints).toEqual([
    'Too many files: what is found beyond them is followed once others are gone',
  ])
  const [first] = files.all
  rmSync(first?.path ?? '')
  await files.look()
  clock.advance(10_000)
  await files.look()
  expect(await files.look()).toBe(true)
  expect(files.all).toHaveLength(1_000)
  expect(files.all).not.toContain(first)
})

test('where a handle breaks, the file is taken up again at its position', async () => {
  const { folder, files, complaints, gaps } = follow(newFolder(), 'app.log')
  const path = join(folder, 'app.log')
  writeFileSync(path, 'a\nb\n')
  await files.look()
  const [first] = files.all
  await first?.read()
  Object.assign(first ?? {}, { acknowledgedOffset: 2 })
  await failNextStat('ESTALE', path)
  await files.look()
  await files.look()
  expect(files.positions).toMatchObject([{ path, offset: 2 }])
  expect(files.all).not.toContain(first)
  expect(complaints).toEqual(['Cannot read a file any more'])
  expect(gaps).toEqual([])
})

test('a file that can not be opened at the start keeps its position until it can', async () => {
  const folder = newFolder()
  const path = join(folder, 'app.log')
  writeFileSync(path, 'a\nb\n')
  const first = follow(folder, 'app.log')
  await first.files.look()
  const positions = first.files.positions.map((position) => ({ ...position, offset: 2 }))
  const earlier = { streamName: 'logs', patterns: [path], files: positions }
  const { files, complaints, gaps } = follow(folder, 'app.log', earlier)
  await failNextStat('EIO', path)
  await files.look()
  expect({ followed: files.all.length, positions: files.positions }).toEqual({
    followed: 0,
    positions,
  })
  await files.look()
  expect({ followed: files.all.length, positions: files.positions }).toEqual({
    followed: 1,
    positions,
  })
  expect(complaints).toEqual(['Cannot read a file'])
  expect(gaps).toEqual([])
})

/** Of an open file, whichever is asked next. */
async function failNextStat(code: string, path: string): Promise<void> {
  const handle = await open(path)
  const prototype = Object.getPrototypeOf(handle) as typeof handle
  await handle.close()
  vi.spyOn(prototype, 'stat').mockRejectedValueOnce(Object.assign(new Error(code), { code }))
}
