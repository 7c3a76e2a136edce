/** Files that are renamed, truncated, replaced and deleted, while somebody looks and while nobody does. */
import {
  appendFileSync,
  copyFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { expect, test } from 'vitest'
import { TailFolder } from '../../test/fakes/tail-run.ts'

const LOST = 'Lines are lost: a file was truncated or removed before all of it was read'

test('a file that appears while nobody looks is read from its start', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('a.log'), 'old\n')
  await folder.run(['*.log'], { from: 'end' })
  writeFileSync(folder.at('b.log'), 'new\n')
  await folder.run(['*.log'], { from: 'end' })
  expect(folder.accepted).toEqual(['new'])
})

test('a renamed file is read to its end before the file that takes its name', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log'], {}, [
    () => {
      appendFileSync(folder.at('app.log'), 'b\n')
      renameSync(folder.at('app.log'), folder.at('app.log.1'))
      writeFileSync(folder.at('app.log'), 'c\n')
    },
    // The writer has not yet been told.
    () => appendFileSync(folder.at('app.log.1'), 'late\n'),
    () => appendFileSync(folder.at('app.log'), 'd\n'),
  ])
  expect(folder.accepted).toEqual(['a', 'b', 'c', 'late', 'd'])
})

test('of a file that is deleted the last line is sent too, once it is quiet', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nlast')
  const quiet = Array.from({ length: 12 }, () => () => {})
  await folder.run(['app.log'], {}, [() => rmSync(folder.at('app.log')), ...quiet])
  expect(folder.accepted).toEqual(['a', 'last'])
  expect(folder.positions().files).toEqual([])
})

test('a file that is copied and truncated goes on from its start', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nb\n')
  const summary = await folder.run(['app.log'], {}, [
    () => {
      copyFileSync(folder.at('app.log'), folder.at('app.log.gz'))
      truncateSync(folder.at('app.log'))
    },
    () => appendFileSync(folder.at('app.log'), 'c\n'),
  ])
  expect(folder.accepted).toEqual(['a', 'b', 'c'])
  expect(summary.gapCount).toBe(0)
})

test('truncation is noticed though the file is longer than before', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log'], {}, [() => writeFileSync(folder.at('app.log'), 'other\nlines\n')])
  expect(folder.accepted).toEqual(['a', 'other', 'lines'])
})

test('what is truncated before it could be read is a gap', async () => {
  using folder = new TailFolder()
  const lines = Array.from({ length: 600 }, (_, index) => `line ${index} ${'x'.repeat(1000)}\n`)
  writeFileSync(folder.at('app.log'), lines.join(''))
  const size = Buffer.byteLength(lines.join(''))
  let attempts = 0
  folder.answer = () => {
    attempts += 1
    if (attempts === 2) truncateSync(folder.at('app.log'))
    if (attempts > 4) return []
    throw new Error('ECONNREFUSED')
  }
  const summary = await folder.run(['app.log'], {}, [
    () => appendFileSync(folder.at('app.log'), 'after\n'),
  ])
  // What was read before is not lost; the first bytes of a line that is are sent, as all it has.
  const readBytes = size - summary.gapBytes
  const whole = lines.filter((_, index) => lines.slice(0, index + 1).join('').length <= readBytes)
  expect(summary).toMatchObject({ gapCount: 1, retryCount: 4 })
  expect(folder.accepted.slice(0, whole.length)).toEqual(whole.map((line) => line.trimEnd()))
  expect(folder.accepted.slice(whole.length + 1)).toEqual(['after'])
  expect(folder.complaints).toContain(LOST)
})

test('links are followed to where they lead now', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('one'), 'a\n')
  symlinkSync(folder.at('one'), folder.at('current.log'))
  await folder.run(['*.log'], {}, [
    () => {
      appendFileSync(folder.at('one'), 'b\n')
      writeFileSync(folder.at('two'), 'c\n')
      rmSync(folder.at('current.log'))
      symlinkSync(folder.at('two'), folder.at('current.log'))
    },
  ])
  expect(folder.accepted).toEqual(['a', 'b', 'c'])
})

test('header lines are left out, of each file and after each truncation', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('a.csv'), 'name,size\n-,-\n1\n')
  await folder.run(['a.csv'], { skipHeaderLines: 2 }, [
    () => writeFileSync(folder.at('a.csv'), 'new\n-\n2\n'),
  ])
  await folder.run(['a.csv'], { skipHeaderLines: 2 }, [
    () => appendFileSync(folder.at('a.csv'), '3\n'),
  ])
  expect(folder.accepted).toEqual(['1', '2', '3'])
})

test('a service that is away for hours loses nothing, though files are rotated twice', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  let isAway = true
  let looks = 0
  folder.answer = () => {
    if (isAway) throw new Error('ECONNREFUSED')
    return []
  }
  folder.onBackoff = () => {
    looks += 1
    if (looks === 20 || looks === 40) {
      renameSync(folder.at('app.log'), folder.at(`app.log.${looks}`))
      writeFileSync(folder.at('app.log'), `after ${looks}\n`)
    }
    if (looks === 10_000) isAway = false
  }
  await folder.run(['app.log'])
  expect(folder.clock.monotonicMs()).toBeGreaterThan(2 * 3_600_000)
  expect(folder.accepted).toEqual(['a', 'after 20', 'after 40'])
})

test('what is rotated while nobody looks is found by its inode, and read first', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log'])
  appendFileSync(folder.at('app.log'), 'b\n')
  renameSync(folder.at('app.log'), folder.at('app.log-20261121'))
  writeFileSync(folder.at('app.log'), 'c\n')
  await folder.run(['app.log'])
  expect(folder.accepted).toEqual(['a', 'b', 'c'])
})

test('what is rotated more than once while nobody looks is read in the order it was written', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log*'])
  appendFileSync(folder.at('app.log'), 'b\n')
  renameSync(folder.at('app.log'), folder.at('app.log.2'))
  writeFileSync(folder.at('app.log.1'), 'c\n')
  writeFileSync(folder.at('app.log'), 'd\n')
  // As on a disk whose times are coarse.
  for (const name of ['app.log', 'app.log.1']) utimesSync(folder.at(name), 1_000, 1_000)
  await folder.run(['app.log*'])
  expect(folder.accepted).toEqual(['a', 'b', 'c', 'd'])
})

test('what was unread in a file that is gone at the next start is a gap', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nb\n')
  folder.answer = () => {
    folder.end()
    throw new Error('ECONNREFUSED')
  }
  await folder.run(['app.log'])
  rmSync(folder.at('app.log'))
  expect(await folder.run(['app.log'])).toMatchObject({ gapCount: 1, gapBytes: 4 })
})

test('other lines in the same inode are another file', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log'])
  writeFileSync(folder.at('app.log'), 'other\nlines\n')
  await folder.run(['app.log'])
  expect(folder.accepted).toEqual(['a', 'other', 'lines'])
})

test('what was read of a truncated file, and not acknowledged when the run ended, is a gap', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  folder.answer = () => {
    throw new Error('ECONNREFUSED')
  }
  let looks = 0
  folder.onBackoff = () => {
    looks += 1
    if (looks === 5) truncateSync(folder.at('app.log'))
    if (looks === 15) folder.end()
  }
  expect(await folder.run(['app.log'])).toMatchObject({ gapCount: 0 })
  expect(await folder.run(['app.log'])).toMatchObject({ gapCount: 1, gapBytes: 2 })
})

test('a file that is shorter at the next start is read anew, though it begins as before', async () => {
  using folder = new TailFolder()
  const header = `${'#'.repeat(1_500)}\n`
  writeFileSync(folder.at('app.log'), `${header}${'a\n'.repeat(100)}`)
  await folder.run(['app.log'], { skipHeaderLines: 1 })
  writeFileSync(folder.at('app.log'), `${header}b\n`)
  await folder.run(['app.log'], { skipHeaderLines: 1 })
  expect(folder.accepted.slice(99)).toEqual(['a', 'b'])
})

test('what was truncated unread is taken from the copy, and what was read is not sent again', async () => {
  using folder = new TailFolder()
  const lines = Array.from({ length: 600 }, (_, index) => `line ${index} ${'x'.repeat(1000)}`)
  writeFileSync(folder.at('app.log'), `${lines.join('\n')}\n`)
  let attempts = 0
  folder.answer = () => {
    attempts += 1
    if (attempts === 2) {
      copyFileSync(folder.at('app.log'), folder.at('app.log.1'))
      truncateSync(folder.at('app.log'))
      appendFileSync(folder.at('app.log'), 'after\n')
    }
    if (attempts > 4) return []
    throw new Error('ECONNREFUSED')
  }
  expect(await folder.run(['app.log*'])).toMatchObject({ gapCount: 0 })
  expect(folder.accepted).toEqual([...lines, 'after'])
})

test('what was not acknowledged when the run ended is taken from the copy by the next', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nb\n')
  let looks = 0
  folder.onBackoff = () => {
    looks += 1
    if (looks === 5) {
      copyFileSync(folder.at('app.log'), folder.at('app.log.1'))
      truncateSync(folder.at('app.log'))
    }
    if (looks === 15) folder.end()
  }
  folder.answer = () => {
    throw new Error('ECONNREFUSED')
  }
  expect(await folder.run(['app.log*'])).toMatchObject({ gapCount: 0 })
  folder.answer = () => []
  expect(await folder.run(['app.log*'])).toMatchObject({ gapCount: 0 })
  await folder.run(['app.log*'])
  expect(folder.accepted).toEqual(['a', 'b'])
})

test('the copy is taken too when all of it happens while nobody looks', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log*'])
  appendFileSync(folder.at('app.log'), 'b\n')
  copyFileSync(folder.at('app.log'), folder.at('app.log.1'))
  truncateSync(folder.at('app.log'))
  appendFileSync(folder.at('app.log'), 'c\n')
  expect(await folder.run(['app.log*'])).toMatchObject({ gapCount: 0 })
  expect(folder.accepted).toEqual(['a', 'b', 'c'])
})

test('lines that came between copy and truncation are a gap when they were not read', async () => {
  using folder = new TailFolder()
  const long = 'x'.repeat(2_000)
  writeFileSync(folder.at('app.log'), `a\n${long}\n`)
  folder.answer = (lines) => {
    if (lines[0] === 'a') return []
    folder.end()
    throw new Error('ECONNREFUSED')
  }
  await folder.run(['app.log'])
  copyFileSync(folder.at('app.log'), folder.at('app.log.1'))
  appendFileSync(folder.at('app.log'), 'b\n')
  await folder.run(['app.log'])
  truncateSync(folder.at('app.log'))
  folder.answer = () => []
  expect(await folder.run(['app.log', 'app.log.*'])).toMatchObject({ gapCount: 1, gapBytes: 2 })
  expect(folder.accepted).toEqual(['a', long])
})

test('a copy is left alone as long as its original is there', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log*'], {}, [
    () => copyFileSync(folder.at('app.log'), folder.at('app.log.1')),
    () => {},
    () => appendFileSync(folder.at('app.log'), 'b\n'),
  ])
  await folder.run(['app.log*'])
  expect(folder.accepted).toEqual(['a', 'b'])
})

test('a file that was empty is taken up again, and sent to its end', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), '')
  await folder.run(['app.log'], { from: 'end' })
  appendFileSync(folder.at('app.log'), 'a\n')
  renameSync(folder.at('app.log'), folder.at('app.log.1'))
  await folder.run(['app.log'], { from: 'end' })
  expect(folder.accepted).toEqual(['a'])
})

test('a file that was empty is not taken for another that has its inode', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), '')
  await folder.run(['app.log'])
  renameSync(folder.at('app.log'), folder.at('secrets'))
  appendFileSync(folder.at('secrets'), 'a\n')
  await folder.run(['app.log'])
  expect(folder.accepted).toEqual([])
})

test('a file of another series that begins the same is no copy', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['*.log'], {}, [() => writeFileSync(folder.at('other.log'), 'a\nb\n')])
  expect(folder.accepted).toEqual(['a', 'a', 'b'])
})
