import { expect, test } from 'vitest'
import { formatByteSize, parseByteSize } from './byte-size.ts'

test.each([
  ['1048576', 1_048_576],
  ['10GiB', 10_737_418_240],
  ['1.5 mib', 1_572_864],
  ['2K', 2048],
  ['7 B', 7],
])('%s is read', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes)
})

test.each(['', '-1', 'GiB', '1 PiB', '1e3', '0x10'])('%j is no size', (text) => {
  expect(parseByteSize(text)).toBe(undefined)
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [53_687_091_200, '50 GiB'],
])('%d is shown as %s', (bytes, text) => {
  expect(formatByteSize(bytes)).toBe(text)
})
