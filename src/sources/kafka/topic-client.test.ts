import { createAPI, ResponseError } from '@platformatic/kafka'
import type { API, Connection } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { withoutLeaders } from './topic-client.ts'

const METADATA = 3
const LEADER_NOT_AVAILABLE = 5
const UNKNOWN_TOPIC = 3
const RESPONSE = { topics: ['as it came'] }

/** What a caller is told when the library takes these for errors of the answer. */
async function answerFor(errors: Readonly<Record<string, number>>): Promise<unknown> {
  const codes = Object.entries(errors).map(([path, code]) => [path, [code, null]] as const)
  const failing = ((_connection: unknown, _topics: unknown, callback: (error: Error) => void) => {
    callback(new ResponseError(METADATA, 12, Object.fromEntries(codes) as never, RESPONSE))
  }) as unknown as API<[readonly string[]], unknown>
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const told = (error: Error | null, response: unknown): void => resolve(error ?? response)
  withoutLeaders(failing)({} as Connection, ['topic'], told)
  return await promise
}

test('partitions without leaders are an answer', async () => {
  const errors = {
    '/topics/0/partitions/1': LEADER_NOT_AVAILABLE,
    '/topics/0/partitions/12': LEADER_NOT_AVAILABLE,
  }
  expect(await answerFor(errors)).toBe(RESPONSE)
})

test.each([
  ['a topic that is not there', { '/topics/0': UNKNOWN_TOPIC }],
  ['a topic without a leader, which has no partitions yet', { '/topics/0': LEADER_NOT_AVAILABLE }],
  [
    'another error beside',
    { '/topics/0/partitions/0': LEADER_NOT_AVAILABLE, '/topics/0/partitions/1': UNKNOWN_TOPIC },
  ],
])('%s is a failure still', async (_, errors) => {
  expect(await answerFor(errors)).toBeInstanceOf(ResponseError)
})

test('the call’s version stays, by which the library reads the answer', () => {
  const api = createAPI<[], unknown>(METADATA, 8, (() => {}) as never, () => undefined)
  expect(withoutLeaders(api).version).toBe(8)
})
