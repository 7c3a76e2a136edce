/**
 * An HTTP server for tests that does what it is told with each request: answers, hangs, or cuts the
 * connection when it has the whole request.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ScriptedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export type ScriptedAnswer =
  | {
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  | 'hang'
  | 'reset'

export class ScriptedHttp implements AsyncDisposable {
  /** Each request in full, in order of arrival. */
  readonly requests: ScriptedRequest[] = []
  /** May be replaced at any time. */
  answer: (request: ScriptedRequest) => ScriptedAnswer
  readonly #server: Server

  private constructor(answer: (request: ScriptedRequest) => ScriptedAnswer) {
    this.answer = answer
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async start(answer: (request: ScriptedRequest) => ScriptedAnswer): Promise<ScriptedHttp> {
    const http = new ScriptedHttp(answer)
    http.#server.listen(0, '127.0.0.1')
    await once(http.#server, 'listening')
    return http
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const blocks: Buffer[] = []
    for await (const block of incoming) blocks.push(block as Buffer)
    const { method = '', url: path = '', headers } = incoming
    const request = { method, path, headers, body: Buffer.concat(blocks) }
    this.requests.push(request)
    const answer = this.answer(request)
    if (answer === 'hang') return
    if (answer === 'reset') incoming.socket.resetAndDestroy()
    else response.writeHead(answer.status, answer.headers).end(answer.body)
  }
}
