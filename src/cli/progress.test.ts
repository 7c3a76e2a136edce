import { afterEach, expect, test, vi } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { Progress } from './progress.ts'

const written: string[] = []
vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  written.push(String(text))
  return true
})
const { isTTY, columns } = process.stderr
afterEach(() => {
  written.length = 0
  Object.assign(process.stderr, { isTTY, columns })
})

test('on a terminal one line is drawn over itself, no wider than the terminal', () => {
  Object.assign(process.stderr, { isTTY: true, columns: 6 })
  const clock = new ManualClock()
  const progress = new Progress(true, clock)
  progress.show('12345678')
  progress.show('at once')
  clock.advance(100)
  progress.show('next')
  progress.end()
  const clear = '\r\u001B[2K'
  expect(written).toEqual([`${clear}12345`, `${clear}next`, clear])
})

test('elsewhere it is a whole line every five seconds', () => {
  Object.assign(process.stderr, { isTTY: false, columns: 6 })
  const clock = new ManualClock()
  const progress = new Progress(true, clock)
  progress.show('12345678')
  clock.advance(4_999)
  progress.show('too early')
  clock.advance(1)
  progress.show('next')
  progress.end()
  expect(written).toEqual(['12345678\n', 'next\n'])
})
