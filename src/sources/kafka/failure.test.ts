import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  UserError,
} from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { answered, fetchError, isClientError, isNetworkFailure, sourceError } from './failure.ts'

const refused = new Error('connect ECONNREFUSED 127.0.0.1:1')

test.each([
  [new NetworkError('Connection failed.', { cause: refused }), 'ConnectionFailed'],
  [
    new NetworkError('Connection failed.', { cause: new AuthenticationError('SASL failed.') }),
    'AuthenticationFailed',
  ],
  [new UserError('Unknown topic clicks.'), 'TopicNotFound'],
  [new ProtocolError('UNKNOWN_TOPIC_ID'), 'TopicNotFound'],
  [new MultipleErrors('Twice', [new ProtocolError('GROUP_AUTHORIZATION_FAILED')]), 'AccessDenied'],
  [new ProtocolError('LEADER_NOT_AVAILABLE'), 'LeaderNotAvailable'],
  [new ProtocolError('KAFKA_STORAGE_ERROR'), 'ReadFailed'],
])('%s is shown as Kafka.%s', (error, errorCode) => {
  expect(sourceError('read it', error).errorCode).toBe(`Kafka.${errorCode}`)
})

test('what lies at the bottom is told, once', () => {
  const failed = (): Error => new NetworkError('Connection failed.', { cause: refused })
  const error = new MultipleErrors('Twice', [failed(), failed()])
  expect(sourceError('find topic clicks', error).message).toBe(
    'Cannot find topic clicks: connect ECONNREFUSED 127.0.0.1:1',
  )
})

test('an answer is found among the errors of several attempts', () => {
  const error = new MultipleErrors('Twice', [new ProtocolError('OFFSET_OUT_OF_RANGE')])
  expect(answered(error, 'OFFSET_OUT_OF_RANGE')).toBe(true)
  expect(answered(error, 'UNKNOWN_TOPIC_ID')).toBe(false)
  expect(isNetworkFailure(error)).toBe(false)
})

test('what the client did not throw is none of its errors', () => {
  expect(isClientError(new UserError('x'))).toBe(true)
  expect(isClientError(refused)).toBe(false)
})

test('what the client can’t take apart is shown as what it was, and does not end the source', () => {
  const error = fetchError(new Error('incorrect header check'))
  expect(isClientError(error)).toBe(true)
  expect(sourceError('read partition 3', error as Error).message).toBe(
    'Cannot read partition 3: incorrect header check',
  )
})
