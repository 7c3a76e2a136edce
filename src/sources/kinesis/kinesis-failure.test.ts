import { expect, test } from 'vitest'
import { KinesisFailure } from './kinesis-failure.ts'

function failureOf(message: string, members: object): { errorCode: string; message: string } {
  const error = Object.assign(new Error(message), members)
  const { errorCode, message: said } = new KinesisFailure('GetRecords', error)
  return { errorCode, message: said }
}

test('a connection that breaks is not a timeout, though the SDK calls it one', () => {
  expect(failureOf('read ECONNRESET', { name: 'TimeoutError', code: 'ECONNRESET' })).toEqual({
    errorCode: 'Kinesis.ConnectionFailed',
    message: 'Cannot call GetRecords: read ECONNRESET',
  })
})

test('an answer that does not come is told without the name of the library', () => {
  const message = '@smithy/node-http-handler - [ERROR] a request has exceeded 10000 ms'
  expect(failureOf(message, { name: 'TimeoutError', code: 'ETIMEDOUT' })).toEqual({
    errorCode: 'Kinesis.RequestTimeout',
    message: 'Cannot call GetRecords: a request has exceeded 10000 ms',
  })
})
