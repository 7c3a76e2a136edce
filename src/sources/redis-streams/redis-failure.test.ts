import { ReplyError } from 'ioredis'
import { expect, test } from 'vitest'
import { SourceError } from '../../source.ts'
import { concernsAll, failureOf, GroupGone } from './redis-failure.ts'

function failure(message: string): SourceError {
  const error = failureOf(new ReplyError(message), 'orders')
  if (!(error instanceof SourceError)) throw error
  return error
}

test.each([
  ['NOAUTH Authentication required.', 'Redis.AccessDenied', true],
  ['WRONGPASS invalid username-password pair', 'Redis.AccessDenied', true],
  ['NOPERM No permissions to access a key', 'Redis.NotPermitted', false],
  ['WRONGTYPE Operation against a key', 'Redis.WrongType', false],
  ['OOM command not allowed', 'Redis.OutOfMemory', false],
  ['LOADING Redis is loading the dataset in memory', 'Redis.Unavailable', true],
  ["READONLY You can't write against a read only replica.", 'Redis.Unavailable', true],
  ["ERR unknown command 'XAUTOCLAIM'", 'Redis.CommandFailed', false],
])('%s', (message, errorCode, ofAll) => {
  expect(failure(message)).toMatchObject({
    errorCode,
    message: `Cannot read orders: ${message}`,
  })
  expect(concernsAll(failure(message))).toBe(ofAll)
})

test('without a connection, why there is none is told', () => {
  const error = new Error('Reached the max retries per request limit')
  expect(failureOf(error, 'orders', new Error('connect ECONNREFUSED'))).toMatchObject({
    errorCode: 'Redis.ConnectionFailed',
    message: 'Cannot read orders: connect ECONNREFUSED',
  })
  expect(failureOf(error, 'orders', new ReplyError('WRONGPASS no'))).toMatchObject({
    errorCode: 'Redis.AccessDenied',
  })
})

test.each(['NOGROUP No such key', 'UNBLOCKED the stream key no longer exists'])(
  '%s: the group is gone',
  (message) => {
    expect(failureOf(new ReplyError(message), 'orders')).toBeInstanceOf(GroupGone)
  },
)
