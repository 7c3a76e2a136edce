import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecordCutter } from './record-cutter.ts'
import type { CutRecord, CuttingOptions } from './record-cutter.ts'

const PLAIN: CuttingOptions = { recordBytesMax: 8, skipHeaderLines: 0, startsRecord: undefined }

function inWords({ data, endOffset, isTruncated }: CutRecord): unknown[] {
  return [data?.toString(), endOffset, ...(isTruncated ? ['truncated'] : [])]
}

function cut(options: Partial<CuttingOptions>, pieces: readonly string[], offset = 0): unknown[] {
  const cutter = new RecordCutter({ ...PLAIN, ...options }, offset)
  const records = pieces.flatMap((piece) => cutter.push(Buffer.from(piece)))
  return [...records, ...cutter.endAll()].map(inWords)
}

test('lines keep their newline and know where they end', () => {
  expect(cut({}, ['a\nb', 'c\n\nd'], 100)).toEqual([
    ['a\n', 102],
    ['bc\n', 105],
    ['\n', 106],
    ['d', 107],
  ])
})

test('a line that is too long ends with a newline at the limit; the next is whole', () => {
  expect(cut({}, ['1234567\n', '12345', '678', '9abc\nok\n', '123456789'])).toEqual([
    ['1234567\n', 8],
    ['1234567\n', 21, 'truncated'],
    ['ok\n', 24],
    ['1234567\n', 33, 'truncated'],
  ])
})

test('header lines are no records, at the beginning of a file', () => {
  const pieces = ['h1\nh', '2\na\n']
  expect(cut({ skipHeaderLines: 2 }, pieces)).toEqual([
    [undefined, 3],
    [undefined, 6],
    ['a\n', 8],
  ])
  expect(cut({ skipHeaderLines: 2 }, ['a\n'], 6)).toEqual([['a\n', 8]])
})

test('records of several lines begin where the pattern says, the first wherever it is', () => {
  const startsRecord = (line: Buffer): boolean => line.toString().startsWith('>')
  expect(cut({ startsRecord }, ['x\n>a\n', 'b\n>c', '\n>much\n too\n>d\n'])).toEqual([
    ['x\n', 2],
    ['>a\nb\n', 7],
    ['>c\n', 10],
    ['>much\n \n', 21, 'truncated'],
    ['>d\n', 24],
  ])
})

test('a record that waits for the next is let go without the line that is not whole', () => {
  const cutter = new RecordCutter({ ...PLAIN, startsRecord: () => false }, 0)
  expect(cutter.push(Buffer.from('a\nb\nc'))).toEqual([])
  expect([cutter.holdsLines, cutter.holdsPartialLine]).toEqual([true, true])
  expect(cutter.endRecord().map(inWords)).toEqual([['a\nb\n', 4]])
  expect([cutter.holdsLines, cutter.holdsPartialLine]).toEqual([false, true])
  expect(cutter.endAll().map(inWords)).toEqual([['c', 5]])
})

test('however a file is cut into pieces, its records are the same', () => {
  const text = fc.array(fc.constantFrom('a', '>', '\n', 'ä'), { maxLength: 40 })
  const options = {
    skipHeaderLines: 1,
    startsRecord: (line: Buffer): boolean => line.toString().startsWith('>'),
  }
  fc.assert(
    fc.property(text, fc.nat(40), (letters, at) => {
      const pieces = [letters.slice(0, at).join(''), letters.slice(at).join('')]
      expect(cut(options, pieces)).toEqual(cut(options, [letters.join('')]))
    }),
  )
})
