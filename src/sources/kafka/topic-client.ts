/**
 * The client library's consumer, except for what would let one broker that is away stop a whole topic.
 *
 * A cluster's answer about a topic has an error code for each partition without a leader. The library takes
 * that for a failure of the call, which comes before nearly all that it does: fetches of other partitions,
 * heartbeats, joining a group. Here such an answer is what it is: an answer, in which the leader is -1.
 *
 * And what any broker can answer the library asks of the first that takes connections, however often it is
 * silent then. Here another is asked next.
 */
import {
  Consumer,
  kGetApi,
  kGetBootstrapConnection,
  MultipleErrors,
  ResponseError,
} from '@platformatic/kafka'
import type { API, Callback, Connection } from '@platformatic/kafka'
import { isNetworkFailure } from './failure.ts'

export const NO_LEADER = 'LEADER_NOT_AVAILABLE'
const OF_A_PARTITION = /^\/topics\/\d+\/partitions\/\d+$/
const ASKED_OF_ANY_BROKER = ['Metadata', 'FindCoordinator']

export class TopicClient extends Consumer {
  /** How often one was silent: it tells with which of the brokers to begin. */
  #silentCount = 0

  override [kGetBootstrapConnection](callback: Callback<Connection>, attempt = 0): void {
    super[kGetBootstrapConnection](callback, this.#silentCount + attempt)
  }

  override [kGetApi]<Arguments extends unknown[], Response>(
    name: string,
    callback: Callback<API<Arguments, Response>>,
  ): void {
    super[kGetApi]<Arguments, Response>(name, (error, api) => {
      if (api === undefined || !ASKED_OF_ANY_BROKER.includes(name)) {
        callback(error, api)
        return
      }
      const watched = answering(api, (answer) => (failure, response) => {
        if (isNetworkFailure(failure)) this.#silentCount += 1
        answer(failure, response)
      })
      callback(error, name === 'Metadata' ? withoutLeaders(watched) : watched)
    })
  }
}

/** The same call, answered where it would fail for partitions without leaders only. */
export function withoutLeaders<Arguments extends unknown[], Response>(
  api: API<Arguments, Response>,
): API<Arguments, Response> {
  return answering(api, (answer) => (error, response) => {
    const partial = answerIn(error)
    if (partial === undefined) answer(error, response)
    else answer(null, partial as Response)
  })
}

/** The same call, with something between its answer and whoever asks. */
function answering<Arguments extends unknown[], Response>(
  api: API<Arguments, Response>,
  between: (answer: Callback<Response>) => Callback<Response>,
): API<Arguments, Response> {
  const call = (connection: unknown, ...given: unknown[]): void => {
    const answer = given.pop() as Callback<Response>
    const inner = api as unknown as typeof call
    inner(connection, ...given, between(answer))
  }
  return Object.assign(call, api)
}

function answerIn(error: Error | null): unknown {
  if (!(error instanceof ResponseError) || !(error instanceof MultipleErrors)) return undefined
  const harmless = error.errors.every(
    ({ apiId, path }) => apiId === NO_LEADER && OF_A_PARTITION.test(String(path)),
  )
  return harmless ? error['response'] : undefined
}
