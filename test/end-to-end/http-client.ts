import { Agent, request } from 'node:http'
import type { JsonObject } from '../../src/base/json.ts'

export interface HttpAnswer {
  readonly status: number
  readonly body: JsonObject
}

/**
 * One keep-alive connection that never repeats a request by itself, so that a test knows which
 * requests were answered. A request that got no complete answer rejects.
 */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  get(path: string): Promise<HttpAnswer> {
    return this.#send('GET', path, {}, '')
  }

  /** One of Standpipe's own routes, with a body of JSON where one is given. */
  send(method: string, path: string, body?: object): Promise<HttpAnswer> {
    return this.#send(method, path, {}, body === undefined ? '' : JSON.stringify(body))
  }

  /** One operation of the Firehose API, unsigned. */
  call(operation: string, input: object): Promise<HttpAnswer> {
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Firehose_20150804.${operation}`,
    }
    return this.#send('POST', '/', headers, JSON.stringify(input))
  }

  /** Like `call`, for what must succeed. */
  async expect(operation: string, input: object): Promise<JsonObject> {
    const { status, body } = await this.call(operation, input)
    if (status !== 200) throw new Error(`Cannot ${operation}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
    const outgoing = request(this.#url + path, {
      method,
      agent: this.#agent,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('close', () => {
        if (!response.complete) return reject(new Error('Cannot read answer: it broke off'))
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode ?? 0, body: parsed(text) })
      })
    })
    outgoing.end(body)
    return promise
  }
}

function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return { text }
  }
}
