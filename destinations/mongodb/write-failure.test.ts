import {
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoServerError,
} from 'mongodb'
import type { MongoError, WriteError } from 'mongodb'
import { expect, test } from 'vitest'
import { deliveryError, writeFailure } from './write-failure.ts'

function serverError(code: number, ...labels: readonly string[]): MongoError {
  const error = new MongoServerError({ message: 'no', code })
  for (const label of labels) error.addErrorLabel(label)
  return error
}

const noAddress = Object.assign(new Error('querySrv ENOTFOUND'), { syscall: 'querySrv' })

test.each<[string, Error, string, 'none' | 'unknown', boolean]>([
  ['no permission', serverError(13), 'MongoDB.13', 'none', true],
  ['a view', serverError(166), 'MongoDB.166', 'none', true],
  ['a new primary', serverError(10_107, 'RetryableWriteError'), 'MongoDB.10107', 'unknown', false],
  [
    'what the server says will pass',
    serverError(13, 'RetryableWriteError'),
    'MongoDB.13',
    'unknown',
    false,
  ],
  ['a write not begun', serverError(91, 'NoWritesPerformed'), 'MongoDB.91', 'none', false],
  ['a request that can not be read', serverError(22), 'MongoDB.22', 'none', false],
  ['an error without a label', serverError(1), 'MongoDB.1', 'unknown', false],
  ['a broken connection', new MongoNetworkError('reset'), 'MongoDB.Network', 'unknown', false],
  ['no reply', new MongoNetworkTimeoutError('late'), 'MongoDB.NetworkTimeout', 'unknown', false],
  ['a bad option', new MongoInvalidArgumentError('no'), 'MongoDB.InvalidArgument', 'none', true],
  ['a name without address', noAddress, 'MongoDB.HostNotFound', 'none', false],
])('%s', (_, error, errorCode, effect, brake) => {
  expect(deliveryError(error)).toMatchObject({ errorCode, effect, brake, retryable: true })
})

test('after a write the effect is unknown, whatever fails then', () => {
  expect(deliveryError(serverError(13), true)).toMatchObject({ effect: 'unknown', brake: true })
  expect(deliveryError(noAddress, true)).toMatchObject({ effect: 'unknown', brake: false })
})

test('a fault of ours stays what it is', () => {
  const fault = new TypeError('x is not a function')
  expect(deliveryError(fault)).toBe(fault)
})

test.each([
  [121, false],
  [112, true],
  [16_500, true],
])('of a document, code %i is retryable: %s', (code, retryable) => {
  const failure = writeFailure(3, { code, errmsg: 'no' } as WriteError)
  expect(failure).toEqual({
    ordinal: 3,
    errorCode: `MongoDB.${code}`,
    errorMessage: 'Cannot insert: no',
    retryable,
    effect: 'none',
  })
})

test('the message of a duplicate key does not tell the key', () => {
  const error = { code: 11_000, errmsg: 'E11000 dup key: { mail: "hush" }' } as WriteError
  expect(writeFailure(0, error).errorMessage).not.toContain('hush')
})
