import { expect, test } from 'vitest'
import { compileTimestampPattern } from './timestamp-pattern.ts'

test.each<[string, string, string]>([
  ['yyyy-MM-dd HH:mm:ss', '2024-02-03 04:05:06', '2024-02-03T04:05:06.000000Z'],
  ["yyyy-MM-dd'T'HH:mm:ss.SSSZ", '2024-02-03T04:05:06.7+0130', '2024-02-03T02:35:06.700000Z'],
  [
    "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSZZ",
    '2024-02-03T04:05:06.123456789Z',
    '2024-02-03T04:05:06.123456Z',
  ],
  ['yyyyMMddHHmmss', '20240203040506', '2024-02-03T04:05:06.000000Z'],
  ['M/d/yy h:mm a', '2/3/24 12:05 AM', '2024-02-03T00:05:00.000000Z'],
  ['M/d/yy h:mm a', '2/3/50 12:05 pm', '1950-02-03T12:05:00.000000Z'],
  ['dd/MMM/yyyy:HH:mm:ss Z', '03/Feb/2024:04:05:06 -0500', '2024-02-03T09:05:06.000000Z'],
  ['EEEE, d MMMM yyyy', 'Saturday, 3 May 2024', '2024-05-03T00:00:00.000000Z'],
  ['kk:mm KK', '24:10 11', '1970-01-01T11:10:00.000000Z'],
  ["HH 'o''clock' ''", "04 o'clock '", '1970-01-01T04:00:00.000000Z'],
])('%s reads %s', (pattern, text, expected) => {
  const micros = compileTimestampPattern(pattern)(text) ?? 0n
  const iso = new Date(Number(micros / 1000n)).toISOString()
  expect(iso.replace('Z', `${String(micros % 1000n).padStart(3, '0')}Z`)).toBe(expected)
})

test.each<[string, string]>([
  ['yyyy-MM-dd', '2024-02-30'],
  ['yyyy-MM-dd', '2024-02-03 '],
  ['yyyyMMdd', '202402031'],
  ['dd MMM', '03 Foo'],
  ['HH:mm', '25:00'],
  ['yyyy.MM', '2024-02'],
])('%s does not read %j', (pattern, text) => {
  expect(compileTimestampPattern(pattern)(text)).toBeUndefined()
})

test.each([
  ["yyyy 'T", "'"],
  ['xxxx-ww', 'xxxx'],
  ['yyyy-MM-ddTHH', 'T'],
  ['HH ZZZ', 'ZZZ'],
])('the pattern %s is refused for its %s', (pattern, part) => {
  expect(() => compileTimestampPattern(pattern)).toThrow(
    `Cannot read timestamps by the pattern '${pattern}': '${part}' is not supported`,
  )
})
