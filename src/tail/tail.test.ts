/** On real files; the service and the clock are the test's. */
import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { TailFolder } from '../../test/fakes/tail-run.ts'
import { RequestRefused } from './record-sender.ts'

test('what is there is sent from the start, what is written then follows', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nb\n')
  const summary = await folder.run(['app.log'], {}, [
    () => appendFileSync(folder.at('app.log'), 'c\n'),
    () => appendFileSync(folder.at('app.log'), 'd\n\ne\n'),
  ])
  expect(folder.accepted).toEqual(['a', 'b', 'c', 'd', '', 'e'])
  expect(summary).toEqual({
    recordCount: 6,
    dataBytes: 5,
    truncatedCount: 0,
    unmatchedCount: 0,
    retryCount: 0,
    gapCount: 0,
    gapBytes: 0,
  })
})

test('a record keeps its newline and its bytes, whatever they are', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0x62, 0x0a]))
  const records: string[] = []
  folder.answer = (texts) => {
    records.push(...texts)
    return []
  }
  const summary = await folder.run(['app.log'], { keepNewline: true })
  expect(records).toEqual(['\uFFFD\0\r\n', 'b\n'])
  expect(summary.dataBytes).toBe(6)
})

test('from the end only lines count that end later, and files that appear later wholly', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('a.log'), 'old\nbegun ')
  await folder.run(['*.log'], { from: 'end' }, [
    () => appendFileSync(folder.at('a.log'), 'and ended\n'),
    () => writeFileSync(folder.at('b.log'), 'new\n'),
  ])
  expect(folder.accepted).toEqual(['begun and ended', 'new'])
})

test('a line waits for its newline', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'one tw')
  await folder.run(['app.log'], {}, [() => {}, () => appendFileSync(folder.at('app.log'), 'o\n')])
  expect(folder.accepted).toEqual(['one two'])
})

test('a line does not wait longer than it is told to', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'prompt> ')
  await folder.run(['app.log'], { flushPartialMs: 2_000 }, [
    () => appendFileSync(folder.at('app.log'), 'an'),
    () => {},
    () => {},
    () => appendFileSync(folder.at('app.log'), 'swer\n'),
  ])
  expect(folder.accepted).toEqual(['prompt> an', 'swer'])
})

test('from the end header lines that are not there yet are waited for', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('a.csv'), 'name\n')
  await folder.run(['a.csv'], { skipHeaderLines: 2, from: 'end' }, [
    () => appendFileSync(folder.at('a.csv'), '-\n1\n'),
  ])
  expect(folder.accepted).toEqual(['1'])
})

test('from the end a line is passed over that is longer than a record may be', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'x'.repeat(1_100_000))
  await folder.run(['app.log'], { from: 'end' }, [
    () => appendFileSync(folder.at('app.log'), 'y\na\n'),
  ])
  expect(folder.accepted).toEqual(['y', 'a'])
})

test('a record of several lines ends where the next begins, or when no line comes', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), '> a\n  at 1\n> b\n')
  await folder.run(['app.log'], { startsRecord: (line) => line.toString().startsWith('>') }, [
    () => appendFileSync(folder.at('app.log'), '  at 2\n'),
  ])
  expect(folder.accepted).toEqual(['> a\n  at 1', '> b\n  at 2'])
  expect(folder.requests).toHaveLength(2)
})

test('once sends what is there with the last line, and next time only what is new', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nb')
  await folder.run(['*.log'], { once: true })
  await folder.run(['*.log'], { once: true })
  expect(folder.accepted).toEqual(['a', 'b'])
  appendFileSync(folder.at('app.log'), '\nc\n')
  await folder.run(['*.log'], { once: true })
  expect(folder.accepted).toEqual(['a', 'b', '', 'c'])
})

test('what does not match is left out and counted, or sent as it is', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n\nb\nbad\n')
  const convert = (record: Buffer): Buffer | undefined =>
    record.byteLength === 2 ? record : undefined
  const dropped = await folder.run(['app.log'], { convert })
  expect(dropped).toMatchObject({ recordCount: 2, unmatchedCount: 2 })
  expect(folder.positions().files[0]?.offset).toBe(9)
  writeFileSync(folder.at('other.log'), 'bad\n')
  const kept = await folder.run(['other.log'], { convert, keepUnmatched: true })
  expect(kept).toMatchObject({ recordCount: 1, unmatchedCount: 1 })
  expect(folder.accepted).toEqual(['a', 'b', 'bad'])
})

test('a record longer than 1,000 KiB is truncated with a newline, and counted', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), `${'x'.repeat(1_024_000)}\n${'y'.repeat(1_023_999)}\nz\n`)
  const summary = await folder.run(['app.log'], { keepNewline: true })
  expect(folder.accepted).toEqual([
    `${'x'.repeat(1_023_999)}\n`,
    `${'y'.repeat(1_023_999)}\n`,
    'z\n',
  ])
  expect(summary.truncatedCount).toBe(1)
})

test('records that are refused are sent again before what follows', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\nb\nc\n')
  const refusals = [[0, 2], [1]]
  folder.answer = () => refusals.shift() ?? []
  const summary = await folder.run(['app.log'], {}, [
    () => appendFileSync(folder.at('app.log'), 'd\n'),
  ])
  expect(folder.requests).toEqual([['a', 'b', 'c'], ['a', 'c'], ['c'], ['d']])
  expect(summary).toMatchObject({ recordCount: 4, retryCount: 2 })
})

test('a position is entered once its records are acknowledged, before the next request', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  await folder.run(['app.log'], {}, [() => appendFileSync(folder.at('app.log'), 'b\n')])
  expect(folder.events.slice(folder.events.indexOf('request a') - 1)).toEqual([
    'positions 0',
    'request a',
    'answer',
    'positions 2',
    'request b',
    'answer',
    'positions 4',
  ])
})

test('positions that can not be written are written later, and records go on', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  const stateDirectory = dirname(folder.statePath)
  await folder.run(['app.log'], {}, [
    () => {
      rmSync(stateDirectory, { recursive: true })
      appendFileSync(folder.at('app.log'), 'b\n')
    },
    () => {
      mkdirSync(stateDirectory)
      appendFileSync(folder.at('app.log'), 'c\n')
    },
  ])
  expect(folder.accepted).toEqual(['a', 'b', 'c'])
  expect(folder.complaints).toEqual(['Cannot write the positions; a restart would send again'])
  expect(folder.positions().files[0]?.offset).toBe(6)
})

test('a signal while the service is away ends it, and the next run sends', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  folder.answer = () => {
    throw new Error('ECONNREFUSED')
  }
  folder.onBackoff = () => folder.end()
  expect(await folder.run(['app.log'])).toMatchObject({ recordCount: 0 })
  folder.answer = () => []
  await folder.run(['app.log'])
  expect(folder.accepted).toEqual(['a'])
})

// Root reads everything.
test.skipIf(process.getuid?.() === 0)('a file that can not be read is told once', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n', { mode: 0 })
  await folder.run(['app.log'], {}, [() => {}, () => chmodSync(folder.at('app.log'), 0o600)])
  expect(folder.complaints).toEqual(['Cannot read a file'])
  expect(folder.accepted).toEqual(['a'])
})

test('a command that is wrong ends at the first answer, a stream that is deleted later is waited for', async () => {
  using folder = new TailFolder()
  writeFileSync(folder.at('app.log'), 'a\n')
  const refuse = (): never => {
    throw new RequestRefused('ResourceNotFoundException: Firehose logs not found.')
  }
  folder.answer = refuse
  await expect(folder.run(['app.log'])).rejects.toThrow('Firehose logs not found.')
  let isThere = true
  folder.answer = () => (isThere ? [] : refuse())
  folder.onBackoff = () => {
    isThere = true
  }
  await folder.run(['app.log'], {}, [
    () => {
      isThere = false
      appendFileSync(folder.at('app.log'), 'b\n')
    },
  ])
  expect(folder.accepted).toEqual(['a', 'b'])
})
