/**
 * What the client throws, as operators are shown it. It throws trees: errors of several attempts, each with
 * its causes, of which the innermost say what happened.
 */
import { ProtocolError } from '@platformatic/kafka'
import { SourceError } from '../../source.ts'

/** What of the client's and the protocol's codes an errorCode of ours stands for; the first that fits. */
const ERROR_CODES: readonly (readonly [errorCode: string, ...codes: string[]])[] = [
  ['AuthenticationFailed', 'PLT_KFK_AUTHENTICATION'],
  ['TopicNotFound', 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID'],
  [
    'AccessDenied',
    'TOPIC_AUTHORIZATION_FAILED',
    'GROUP_AUTHORIZATION_FAILED',
    'CLUSTER_AUTHORIZATION_FAILED',
  ],
  ['LeaderNotAvailable', 'LEADER_NOT_AVAILABLE'],
  ['ConnectionFailed', 'PLT_KFK_NETWORK', 'PLT_KFK_TIMEOUT'],
]

export function isClientError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('PLT_KFK_')
}

/** Of a fetch: what the client can't take apart or decompress it throws as it comes, without a code. */
export function fetchError(error: unknown): unknown {
  if (isClientError(error)) return error
  return new ProtocolError('CORRUPT_MESSAGE', null, { cause: error as Error })
}

/** Whether a broker gave this answer, by its name in Kafka's protocol. */
export function answered(error: unknown, apiId: string): boolean {
  return codesOf(error).has(apiId)
}

export function isNetworkFailure(error: unknown): boolean {
  return codesOf(error).has('PLT_KFK_NETWORK') || codesOf(error).has('PLT_KFK_TIMEOUT')
}

/** @param act what could not be done, e.g. `read partition 3` */
export function sourceError(act: string, error: Error): SourceError {
  const innermost = [...treeOf(error)].filter((part) => childrenOf(part).length === 0)
  const messages = new Set(innermost.map(({ name, message }) => message || name))
  const message = `Cannot ${act}: ${[...messages].join(', ')}`
  return new SourceError(`Kafka.${errorCodeOf(error)}`, message, { cause: error })
}

function errorCodeOf(error: Error): string {
  // The client keeps no code of this answer to a request for metadata.
  if (error.message.startsWith('Unknown topic ')) return 'TopicNotFound'
  const found = codesOf(error)
  return (
    ERROR_CODES.find(([, ...codes]) => codes.some((code) => found.has(code)))?.[0] ?? 'ReadFailed'
  )
}

function codesOf(error: unknown): ReadonlySet<unknown> {
  return new Set(
    [...treeOf(error)].flatMap((part) => {
      const { code, apiId } = part as { code?: unknown; apiId?: unknown }
      return [code, apiId]
    }),
  )
}

function* treeOf(error: unknown): Generator<Error> {
  if (!(error instanceof Error)) return
  yield error
  for (const child of childrenOf(error)) yield* treeOf(child)
}

function childrenOf(error: Error): readonly unknown[] {
  const together = error instanceof AggregateError ? (error.errors as unknown[]) : []
  return error.cause === undefined ? together : [...together, error.cause]
}
