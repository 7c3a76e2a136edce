import { expect, test } from 'vitest'
import { readLines } from './lines.ts'

async function linesOf(
  parts: string[],
  keepNewline = false,
  lineBytesMax = 100,
): Promise<string[]> {
  const input = (async function* (): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield await Promise.resolve(Buffer.from(part, 'latin1'))
  })()
  const lines: string[] = []
  for await (const line of readLines(input, { lineBytesMax, keepNewline })) {
    lines.push(line.toString('latin1'))
  }
  return lines
}

test('lines are cut wherever the bytes happened to be split', async () => {
  expect(await linesOf(['on', 'e\ntw', 'o\n', '\nfour'])).toEqual(['one', 'two', '', 'four'])
})

test('a newline is kept on request, and not invented', async () => {
  expect(await linesOf(['one\ntwo'], true)).toEqual(['one\n', 'two'])
})

test('bytes that are no text stay what they are', async () => {
  expect(await linesOf(['\u00FF\u00FE\n\u0080'])).toEqual(['\u00FF\u00FE', '\u0080'])
})

test('no input has no lines', async () => {
  expect(await linesOf([])).toEqual([])
})

test('a line beyond the limit is refused by its number, before it is whole', async () => {
  const parts = ['ok\n', '123456', '789012']
  await expect(linesOf(parts, false, 8)).rejects.toThrow('line 2 is longer than 8 bytes')
})
