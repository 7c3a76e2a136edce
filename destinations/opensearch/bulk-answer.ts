/**
 * What the answer to a bulk request says of each document.
 *
 *   2xx               arrived
 *   409               arrived: its id is ours, so an earlier attempt made it (of an `index` without
 *                     id it says nothing: tried again)
 *   401, 403, 404     refused until an operator mends it: permissions, blocks, a missing index
 *   400, of an index  the same: an index that is closed, or has no room in the cluster
 *   429, 5xx          tried again
 *   other 4xx         refused for good: it does not fit the mapping
 *
 * An answer other than 2xx speaks for all documents alike, and no single document is at fault: 400 is
 * a configuration that the server does not take, such as a TypeName where there are no types.
 */
import { isJsonObject } from '../../src/base/json.ts'
import type { Json, JsonObject } from '../../src/base/json.ts'
import type { RecordFailure } from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { Document } from './bulk-request.ts'

export interface Answer {
  readonly status: number
  /** Undefined when it isn't JSON. */
  readonly body: Json | undefined
  readonly retryAfterMs?: number
}

/** A document that was left behind. */
interface Failure extends RecordFailure {
  readonly brake: boolean
}

/** Errors of status 400 that are of the index, and not of the document. */
const INDEX_ERRORS = new Set([
  'index_closed_exception',
  'invalid_alias_name_exception',
  'invalid_index_name_exception',
  'invalid_index_template_exception',
  // Of all things only this: no room for another shard.
  'validation_exception',
])
/** Errors of status 5xx that come before anything is written. */
const EARLY_ERRORS = new Set([
  'cluster_block_exception',
  'cluster_manager_not_discovered_exception',
  'master_not_discovered_exception',
  'no_shard_available_action_exception',
  'process_cluster_event_timeout_exception',
  'unavailable_shards_exception',
])
const BRAKE_STATUSES = [401, 403, 404]
const MESSAGE_CHARACTERS_MAX = 1_000

/**
 * The documents that were left behind.
 * @throws DeliveryError when all were, for a cause that is an operator's to mend, or when the answer
 *   doesn't speak of documents
 */
export function readBulkAnswer(
  answer: Answer,
  documents: readonly Document[],
): readonly RecordFailure[] {
  if (answer.status >= 300 || answer.status < 200) throw refusedRequest(answer)
  const items = itemsOf(answer.body)
  if (items?.length !== documents.length) {
    throw new DeliveryError(
      'OS.InvalidResponse',
      'Cannot index: the answer does not say what became of each document',
      { retryable: true, effect: 'unknown' },
    )
  }
  const failures = documents.flatMap(({ ordinal }, index) => failureOf(ordinal, items[index]) ?? [])
  const [first] = failures
  if (first === undefined) return []
  if (failures.length === documents.length && failures.every(({ brake }) => brake)) {
    const { errorCode, errorMessage } = first
    throw new DeliveryError(errorCode, errorMessage, {
      retryable: true,
      effect: 'none',
      brake: true,
    })
  }
  return failures.map(({ brake: _brake, ...failure }) => failure)
}

function itemsOf(body: Json | undefined): readonly Json[] | undefined {
  const items = isJsonObject(body) ? body.items : undefined
  return Array.isArray(items) ? items : undefined
}

/** @param item `{"create":{"status":400,"error":{"type":"…","reason":"…"}}}` */
function failureOf(ordinal: number, item: Json | undefined): Failure | undefined {
  const [[operation, outcome] = []] = isJsonObject(item) ? Object.entries(item) : []
  const { status, error } = isJsonObject(outcome) ? outcome : {}
  if (typeof status !== 'number') {
    const errorMessage = 'Cannot index: the answer does not say what became of the document'
    return { ordinal, errorCode: 'OS.InvalidResponse', errorMessage, ...TRY_AGAIN_UNKNOWN }
  }
  const isThere = status === 409 && operation === 'create'
  if ((status >= 200 && status < 300) || isThere) return undefined
  return {
    ordinal,
    errorCode: String(status),
    errorMessage: `Cannot index: ${describe(error) ?? `status ${status}`}`,
    ...fateOf(status, errorType(error)),
  }
}

const TRY_AGAIN_UNKNOWN = { retryable: true, effect: 'unknown', brake: false } as const

function fateOf(status: number, type: string): Pick<Failure, 'retryable' | 'effect' | 'brake'> {
  if (status >= 500 && !EARLY_ERRORS.has(type)) return TRY_AGAIN_UNKNOWN
  const brake = BRAKE_STATUSES.includes(status) || (status === 400 && INDEX_ERRORS.has(type))
  const retryable = brake || status === 409 || status === 429 || status >= 500
  return { retryable, effect: 'none', brake }
}

/** The failure of all documents of a request that was answered with an error, but 413. */
function refusedRequest({ status, body, retryAfterMs }: Answer): DeliveryError {
  const error = isJsonObject(body) ? body.error : undefined
  const { effect } = fateOf(status, errorType(error))
  // 408 is a proxy's that did not wait, 429 the cluster's; all other 3xx and 4xx take an operator.
  const timedOut = status === 408
  const brake = status < 500 && status !== 429 && !timedOut
  return new DeliveryError(
    String(status),
    `Cannot index: ${describe(error) ?? `status ${status}`}`,
    {
      retryable: true,
      effect: timedOut ? 'unknown' : effect,
      brake,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  )
}

function errorType(error: Json | undefined): string {
  return isJsonObject(error) && typeof error.type === 'string' ? error.type : ''
}

/** `type: reason`, and the same of what caused it. */
function describe(error: Json | undefined): string | undefined {
  if (typeof error === 'string') return shortened(error)
  if (!isJsonObject(error)) return undefined
  const causes: JsonObject[] = [error]
  if (isJsonObject(error.caused_by)) causes.push(error.caused_by)
  const parts = causes.map(({ type, reason }) => `${text(type)}: ${text(reason)}`)
  return shortened(parts.join('; '))
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : 'unknown'
}

function shortened(message: string): string {
  return message.length <= MESSAGE_CHARACTERS_MAX
    ? message
    : `${message.slice(0, MESSAGE_CHARACTERS_MAX)}…`
}
