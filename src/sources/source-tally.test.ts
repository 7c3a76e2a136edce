import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { kinesisDelivery } from '../../test/fakes/kinesis-reading.ts'
import { silentLogger } from '../base/logger.ts'
import { noMetrics } from '../base/metrics.ts'
import { SourceError } from '../source.ts'
import { SourceTally } from './source-tally.ts'

test('a failure is logged when its code is news, and shown in its latest words', () => {
  const logged: object[] = []
  const logger = { ...silentLogger, warn: (fields: object) => void logged.push(fields) }
  const stream = kinesisDelivery('arn')
  const tally = new SourceTally({ stream, clock: new ManualClock(), logger, metrics: noMetrics })
  tally.failed(new SourceError('Redis.ConnectionFailed', 'read ECONNRESET'))
  tally.failed(new SourceError('Redis.ConnectionFailed', 'connect ECONNREFUSED'))
  expect(logged).toMatchObject([{ reason: 'read ECONNRESET' }])
  expect(tally.report(undefined).lastFailure?.errorMessage).toBe('connect ECONNREFUSED')

  tally.failed(new SourceError('Redis.AccessDenied', 'WRONGPASS'))
  tally.progressed()
  tally.failed(new SourceError('Redis.AccessDenied', 'WRONGPASS'))
  expect(logged).toHaveLength(3)
})
