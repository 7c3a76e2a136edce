import { expect, test } from 'vitest'
import { sequenceNumber } from './sequence-number.ts'

test('a sequence number has 56 digits, whatever the batch, and counts within it', () => {
  expect(sequenceNumber('0'.repeat(26), 7)).toBe('7'.padStart(56, '0'))
  expect(sequenceNumber(`7${'Z'.repeat(25)}`, 0)).toBe(
    `340282366920938463463374607431768211455${'0'.repeat(17)}`,
  )
  expect(sequenceNumber('01J2P4YH2NZ5R6T7V8W9X0Y1Z2', 12)).toMatch(/^\d{39}0{15}12$/)
})
