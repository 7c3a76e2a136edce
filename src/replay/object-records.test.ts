import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ObjectReader, StoredObject } from '../object-store.ts'
import type { ReplayFormat } from '../replay.ts'
import { readRecords } from './object-records.ts'

interface ObjectUnderTest {
  readonly bytes: Buffer
  readonly key?: string
  readonly contentEncoding?: string
  readonly format?: ReplayFormat
}

async function read({ bytes, key = 'key', contentEncoding, format }: ObjectUnderTest) {
  const stored: StoredObject = {
    ...(contentEncoding !== undefined && { contentEncoding }),
    bytes: (async function* () {
      yield bytes
    })(),
  }
  const reader = { get: async () => stored } as unknown as ObjectReader
  const signal = new AbortController().signal
  const found: unknown[] = []
  for await (const { index, data, error } of readRecords(
    reader,
    { bucket: 'b', key, format },
    signal,
  )) {
    found.push([index, data.toString(), error?.errorCode, error?.arrivalMs])
  }
  return found
}

const ERROR = { attemptsMade: 1, rawData: Buffer.from('data').toString('base64') }
const line = (members: object): string => `${JSON.stringify({ ...ERROR, ...members })}\n`

test('lines of errors give the original records, with their code and arrival', async () => {
  const bytes = Buffer.from(
    line({ errorCode: '400', arrivalTimestamp: 1_000 }) +
      line({ lastErrorCode: 'DataFormatConversion.ParseError', arrivalTimestamp: '2000' }) +
      line({ errorCode: 413, rawData: '' }),
  )
  const expected = [
    [0, 'data', '400', 1_000],
    [1, 'data', 'DataFormatConversion.ParseError', 2_000],
    [2, '', '413', undefined],
  ]
  expect(await read({ bytes, format: 'error' })).toEqual(expected)
  expect(await read({ bytes })).toEqual(expected)
})

test('plain records end with their newline, and the last may have none', async () => {
  expect(await read({ bytes: Buffer.from('{"a":1}\n\nlast') })).toEqual([
    [0, '{"a":1}\n', undefined, undefined],
    [1, '\n', undefined, undefined],
    [2, 'last', undefined, undefined],
  ])
})

test('errors can be replayed as the lines that they are', async () => {
  const text = line({ errorCode: '400' })
  const records = await read({ bytes: Buffer.from(text), format: 'records' })
  expect(records).toEqual([[0, text, undefined, undefined]])
})

test.each([
  { key: 'key.gz' },
  { key: 'key', contentEncoding: 'gzip' },
  { key: 'key', contentEncoding: 'aws-chunked, GZIP' },
])('an object is unpacked by what says how: %o', async (place) => {
  expect(await read({ bytes: gzipSync('a\n'), ...place })).toHaveLength(1)
})

test.each([
  ['hello\n', 'line 1 is no error record'],
  ['{}\n', 'line 1 is no error record'],
  [`${line({})}\n`, 'line 2 is no error record'],
  [line({ rawData: 'not base64!' }), 'line 1 is no error record'],
  [line({ rawData: 'YQ' }), 'line 1 is no error record'],
  [line({ rawData: 7 }), 'line 1 is no error record'],
])('%j is refused where errors should be', async (text, reason) => {
  const reading = read({ bytes: Buffer.from(text), format: 'error' })
  await expect(reading).rejects.toThrow(`Cannot read b/key: ${reason}`)
})

test('what can not be read is refused with the reason', async () => {
  const bytes = Buffer.from('hello\n')
  await expect(read({ bytes, contentEncoding: 'br' })).rejects.toThrow(
    'Cannot read b/key: its Content-Encoding is br',
  )
  await expect(read({ bytes, key: 'key.gz' })).rejects.toThrow('it is not gzip')
  await expect(read({ bytes: Buffer.alloc(1_024_001, 'x') })).rejects.toThrow(
    'Cannot read b/key: record 1 exceeds 1024000 bytes',
  )
  await expect(read({ bytes: Buffer.alloc(9 * 1024 * 1024, 'x') })).rejects.toThrow(
    'line 1 is longer than 8388608 bytes',
  )
})
