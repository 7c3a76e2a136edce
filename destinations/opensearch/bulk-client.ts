/** One bulk request to a cluster and its answer, or why there is none. */
import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import type { Client } from '@opensearch-project/opensearch'
import type { Clock } from '../../src/base/clock.ts'
import type { Json } from '../../src/base/json.ts'
import type { Connection, Connections } from '../../src/connections.ts'
import { DeliveryError } from '../../src/destination.ts'
import { retryAfterMs } from '../../src/requests/retry-after.ts'
import type { Answer } from './bulk-answer.ts'
import type { RequestTrace } from './cluster-client.ts'

/** The server waits a minute for a shard before it answers. */
const REQUEST_TIMEOUT_MS = 90_000
/** Never before ours, for it says nothing of how far the request came. */
const SOCKET_TIMEOUT_MS = 2 * REQUEST_TIMEOUT_MS
/** Ten thousand documents that are all refused at length. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024
const CLIENT_COUNT_MAX = 100
/** What is needed of an answer; it keeps those to successful requests short. */
const FILTER_PATH = 'items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by'
/** Certificates that are not trusted or have expired, and a server that doesn't speak TLS. */
const TLS_ERROR = /CERT|SIGNATURE|^ERR_(?:OSSL|SSL|TLS)_|^EPROTO$/

interface KnownClient {
  readonly connection: Connection
  readonly client: Client
}

export class BulkClient {
  readonly #connections: Connections
  readonly #clock: Clock
  /** By endpoint, the longest unused first. */
  readonly #clients = new Map<string, KnownClient>()

  constructor(connections: Connections, clock: Clock) {
    this.#connections = connections
    this.#clock = clock
  }

  /** @throws DeliveryError when there is no answer */
  async send(endpoint: string, lines: readonly Buffer[], signal: AbortSignal): Promise<Answer> {
    const { message, bytes } = await this.#exchange(endpoint, Buffer.concat(lines), signal)
    const waitMs = retryAfterMs(message.headers, this.#clock.nowMs())
    return {
      status: message.statusCode ?? 0,
      body: parseJson(bytes),
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    }
  }

  async #exchange(
    endpoint: string,
    bulkBody: Buffer,
    signal: AbortSignal,
  ): Promise<{ message: IncomingMessage; bytes: Buffer }> {
    const over = new AbortController()
    let timedOut = false
    let answered = false
    try {
      const client = await this.#client(endpoint)
      const querystring = { filter_path: FILTER_PATH }
      const request = client.transport.request(
        { method: 'POST', path: '/_bulk', querystring, bulkBody },
        { asStream: true },
      )
      const ended = AbortSignal.any([signal, over.signal])
      void this.#clock.sleep(REQUEST_TIMEOUT_MS, ended).then(() => {
        if (over.signal.aborted) return
        timedOut = !signal.aborted
        request.abort()
      })
      const message = (await request).body as IncomingMessage
      answered = true
      return { message, bytes: await readAnswer(message) }
    } catch (error) {
      const ending = signal.aborted ? 'aborted' : timedOut ? 'timed out' : 'failed'
      throw noAnswer(error, { endpoint, ending, answered })
    } finally {
      over.abort()
    }
  }

  async close(): Promise<void> {
    const clients = [...this.#clients.values()]
    this.#clients.clear()
    await Promise.all(clients.map(({ client }) => client.close()))
  }

  async #client(endpoint: string): Promise<Client> {
    // It takes 30 MB of each thread, and most deliver elsewhere.
    const { openClient } = await import('./cluster-client.ts')
    const connection = this.#connections.find(endpoint) ?? {}
    const known = this.#clients.get(endpoint)
    this.#clients.delete(endpoint)
    const kept =
      known !== undefined && isDeepStrictEqual(known.connection, connection)
        ? known
        : { connection, client: openClient(endpoint, connection, SOCKET_TIMEOUT_MS) }
    this.#clients.set(endpoint, kept)
    if (known !== undefined && known !== kept) void known.client.close()
    this.#forgetOldest()
    return kept.client
  }

  #forgetOldest(): void {
    const [oldest] = this.#clients.keys()
    if (oldest === undefined || this.#clients.size <= CLIENT_COUNT_MAX) return
    void this.#clients.get(oldest)?.client.close()
    this.#clients.delete(oldest)
  }
}

async function readAnswer(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of message as AsyncIterable<Buffer>) {
    sizeBytes += part.byteLength
    if (sizeBytes > ANSWER_BYTES_MAX) {
      throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function parseJson(bytes: Buffer): Json | undefined {
  try {
    return JSON.parse(bytes.toString()) as Json
  } catch {
    return undefined
  }
}

interface Ending {
  readonly endpoint: string
  readonly ending: 'aborted' | 'timed out' | 'failed'
  /** An answer had begun. */
  readonly answered: boolean
}

function noAnswer(error: unknown, { endpoint, ending, answered }: Ending): DeliveryError {
  const { connected = false, systemError, name, message } = error as Error & RequestTrace
  const lacksCredentials = name === 'CredentialsProviderError'
  const lacksTrust = TLS_ERROR.test(systemError?.code ?? '')
  let errorCode = 'OS.ConnectionFailed'
  if (ending === 'aborted') errorCode = 'OS.RequestAborted'
  else if (ending === 'timed out') errorCode = 'OS.RequestTimeout'
  else if (lacksCredentials) errorCode = 'OS.CredentialsNotFound'
  else if (lacksTrust) errorCode = 'OS.SSLHandshakeFailure'
  const reason = ending === 'timed out' ? 'no answer in time' : message
  return new DeliveryError(errorCode, `Cannot index into ${new URL(endpoint).origin}: ${reason}`, {
    retryable: true,
    effect: connected || answered ? 'unknown' : 'none',
    brake: ending === 'failed' && (lacksCredentials || lacksTrust),
    // The client's own errors hold the request, with its Authorization.
    cause: systemError,
  })
}
