import { expect, test } from 'vitest'
import type { IndexRotationPeriod } from './index-name.ts'
import { rotatedIndexName } from './index-name.ts'

const NEW_YEARS_DAY = Date.UTC(2027, 0, 1, 0, 0, 0)

test.each<[IndexRotationPeriod, number, string]>([
  ['NoRotation', Date.UTC(2016, 1, 25, 13), 'logs'],
  ['OneHour', Date.UTC(2016, 1, 25, 13, 59, 59, 999), 'logs-2016-02-25-13'],
  ['OneDay', Date.UTC(2016, 1, 25, 13), 'logs-2016-02-25'],
  ['OneWeek', Date.UTC(2016, 1, 25, 13), 'logs-2016-w08'],
  ['OneMonth', Date.UTC(2016, 1, 25, 13), 'logs-2016-02'],
  // A Friday: its week belongs to the year before, which had 53.
  ['OneWeek', NEW_YEARS_DAY, 'logs-2026-w53'],
  ['OneWeek', Date.UTC(2027, 0, 3, 23, 59, 59, 999), 'logs-2026-w53'],
  ['OneWeek', Date.UTC(2027, 0, 4), 'logs-2027-w01'],
  ['OneWeek', Date.UTC(2024, 11, 30), 'logs-2025-w01'],
])('with %s a record of %d goes to %s', (period, arrivalMs, indexName) => {
  expect(rotatedIndexName('logs', period, arrivalMs)).toBe(indexName)
})
