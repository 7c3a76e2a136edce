import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { runProcessor } from '../../../test/fakes/processing.ts'
import { systemClock } from '../../base/clock.ts'
import { decompression } from './decompression.ts'

const NOW_MS = 1_700_000_001_000
const processor = decompression({ clock: { ...systemClock, nowMs: () => NOW_MS } })

test('a record comes out decompressed, and error outputs still see it as it was', async () => {
  const compressed = gzipSync('{"messageType":"DATA_MESSAGE"}')
  const { out, failed } = await runProcessor(processor, [compressed])
  expect(failed).toEqual([])
  expect(out.map(({ ordinal, data, original }) => [ordinal, data.toString(), original])).toEqual([
    [0, '{"messageType":"DATA_MESSAGE"}', compressed],
  ])
})

test('several members make one record, and zeros behind them are passed over', async () => {
  const members = Buffer.concat([gzipSync('one '), gzipSync('two'), Buffer.alloc(9)])
  const { out } = await runProcessor(processor, [members])
  expect(out.map(({ data }) => data.toString())).toEqual(['one two'])
})

test.each([
  ['is empty', Buffer.alloc(0)],
  ['is not gzip', Buffer.from('{"messageType":"DATA_MESSAGE"}')],
  ['goes on as something else', Buffer.concat([gzipSync('text'), Buffer.from('rest')])],
  ['ends too early', gzipSync('some text').subarray(0, -9)],
  ['was damaged', Buffer.from(gzipSync('some text')).fill(0xff, 12, 14)],
])('a record that %s fails as AWS says it, with its own bytes', async (_, data) => {
  const { out, failed } = await runProcessor(processor, [data, gzipSync('next')])
  expect(out.map((record) => [record.ordinal, record.data.toString()])).toEqual([[1, 'next']])
  expect(failed.map(({ record, failure }) => [record.ordinal, record.original, failure])).toEqual([
    [
      0,
      data,
      {
        errorOutputType: 'decompression-failed',
        errorCode: 'Decompression failed.',
        errorMessage: 'Cannot decompress the record: it is not gzip',
        attemptsMade: 1,
        atMs: NOW_MS,
      },
    ],
  ])
})

test('a bomb fails at 64 MiB; just so much comes through', async () => {
  const bombs = [64 * 1024 * 1024, 64 * 1024 * 1024 + 1].map((size) => gzipSync(Buffer.alloc(size)))
  const { out, failed } = await runProcessor(processor, bombs)
  expect(out.map(({ ordinal, data }) => [ordinal, data.byteLength])).toEqual([[0, 67_108_864]])
  expect(failed.map(({ record, failure }) => [record.ordinal, failure.errorMessage])).toEqual([
    [1, 'Cannot decompress the record: it exceeds 67108864 bytes'],
  ])
})

test('large records are not gathered into one large group', async () => {
  const records = Array.from({ length: 6 }, () => gzipSync(Buffer.alloc(700_000)))
  const groups: number[] = []
  const counted: typeof processor = {
    async *process(incoming, job) {
      for await (const group of processor.process(incoming, job)) {
        groups.push(group.length)
        yield group
      }
    },
  }
  await runProcessor(counted, records)
  expect(groups).toEqual([1, 1, 1, 1, 1, 1])
})
