/**
 * One POST to a destination's URL: a body that is streamed with its length, a deadline, an answer of
 * bounded size. Redirects are answers like others. TLS and proxies come from the connections.
 */
import { Readable } from 'node:stream'
import { Agent, ProxyAgent, request } from 'undici'
import type { Dispatcher } from 'undici'
import type { Clock } from '../base/clock.ts'
import type { Connections } from '../connections.ts'
import type { OutputContent } from '../destination.ts'
import { RequestFailure, requestFailure } from './request-failure.ts'

export interface HttpPost {
  readonly url: string
  /** Without Content-Length. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Pick<OutputContent, 'sizeBytes' | 'read'>
  /** From the first byte sent to the last one received. */
  readonly timeoutMs: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: AnswerHeaders
  readonly body: Buffer
}

/** Names in lower case; a list where the header came more than once. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>

/** All values of a header. */
export function headerValues(headers: AnswerHeaders, name: string): string[] {
  return [headers[name] ?? []].flat()
}

/** A body that is in memory. */
export function bodyOf(bytes: Buffer): HttpPost['body'] {
  return {
    sizeBytes: bytes.byteLength,
    read: (start, end) => Promise.resolve(bytes.subarray(start, end)),
  }
}

/** Headers included. */
const ANSWER_BYTES_MAX = 1024 * 1024
const BLOCK_BYTES = 256 * 1024

export class HttpClient {
  readonly #connections: Connections
  readonly #clock: Clock
  /** By what their connections say. */
  readonly #dispatchers = new Map<string, Dispatcher>()

  constructor({ connections, clock }: { connections: Connections; clock: Clock }) {
    this.#connections = connections
    this.#clock = clock
  }

  /**
   * Resolves with whatever the server answers.
   * @throws RequestFailure
   */
  async post(post: HttpPost, signal: AbortSignal): Promise<HttpAnswer> {
    const ended = new AbortController()
    const late = new AbortController()
    void this.#clock.sleep(post.timeoutMs, ended.signal).then(() => late.abort())
    try {
      return await this.#exchange(post, AbortSignal.any([signal, late.signal]))
    } catch (error) {
      if (late.signal.aborted) throw new RequestFailure('timeout', 'no answer in time')
      throw requestFailure(error, signal)
    } finally {
      ended.abort()
    }
  }

  async close(): Promise<void> {
    const dispatchers = [...this.#dispatchers.values()]
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.close()))
  }

  async #exchange({ url, headers, body }: HttpPost, signal: AbortSignal): Promise<HttpAnswer> {
    const stream = Readable.from(blocksOf(body), { objectMode: false })
    const closed = new Promise((resolve) => stream.once('close', resolve))
    try {
      const answer = await request(url, {
        dispatcher: this.#dispatcher(url),
        method: 'POST',
        headers: { ...headers, 'Content-Length': String(body.sizeBytes) },
        body: stream,
        signal,
        // The deadline is ours.
        headersTimeout: 0,
        bodyTimeout: 0,
      })
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: await readAnswer(answer),
      }
    } finally {
      // The content is disposed of when the attempt is over: nobody may be reading it then.
      stream.destroy()
      await closed
    }
  }

  #dispatcher(url: string): Dispatcher {
    const { tlsCa, tlsCertificate, tlsKey, proxy } = this.#connections.find(url) ?? {}
    const settings = JSON.stringify([tlsCa, tlsCertificate, tlsKey, proxy])
    const known = this.#dispatchers.get(settings)
    if (known !== undefined) return known
    const tls = {
      ...(tlsCa !== undefined && { ca: tlsCa }),
      ...(tlsCertificate !== undefined && { cert: tlsCertificate }),
      ...(tlsKey !== undefined && { key: tlsKey }),
    }
    const dispatcher =
      proxy === undefined
        ? new Agent({ connect: tls, allowH2: false })
        : new ProxyAgent({ uri: proxy, requestTls: tls, allowH2: false })
    this.#dispatchers.set(settings, dispatcher)
    return dispatcher
  }
}

async function* blocksOf(body: HttpPost['body']): AsyncGenerator<Buffer> {
  for (let start = 0; start < body.sizeBytes; start += BLOCK_BYTES) {
    yield await body.read(start, Math.min(start + BLOCK_BYTES, body.sizeBytes))
  }
}

async function readAnswer({ headers, body }: Dispatcher.ResponseData): Promise<Buffer> {
  const blocks: Buffer[] = []
  let sizeBytes = JSON.stringify(headers).length
  for await (const block of body) {
    sizeBytes += (block as Buffer).byteLength
    if (sizeBytes > ANSWER_BYTES_MAX) {
      throw new RequestFailure('answer-too-large', 'the answer is larger than 1 MiB')
    }
    blocks.push(block as Buffer)
  }
  return Buffer.concat(blocks)
}
