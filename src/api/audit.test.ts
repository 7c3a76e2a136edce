import { expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { makeAuditEvent } from './audit.ts'
import type { AuditedCall } from './audit.ts'

test('the trail tells which source a stream reads, but no URL that may hold a password', () => {
  const call: AuditedCall = {
    caller: {
      accessKeyId: undefined,
      arn: 'arn:aws:iam::000000000000:user/anonymous',
      sourceAddress: '127.0.0.1',
      userAgent: 'test',
      requestId: '1',
    },
    eventName: 'CreateDeliveryStream',
    eventSource: 'firehose.amazonaws.com',
    input: {
      KinesisStreamSourceConfiguration: {
        KinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks',
      },
      RedisStreamSourceConfiguration: { RedisUrl: 'redis://:hush@queue', StreamKeys: ['clicks'] },
    },
    outcome: {},
  }
  const context = { accountId: '000000000000', region: 'us-east-1', clock: systemClock }
  expect(makeAuditEvent(call, context)).toMatchObject({
    requestParameters: {
      kinesisStreamSourceConfiguration: {
        kinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks',
      },
      redisStreamSourceConfiguration: {
        redisUrl: 'HIDDEN_DUE_TO_SECURITY_REASONS',
        streamKeys: ['clicks'],
      },
    },
  })
})
