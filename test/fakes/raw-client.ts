/** A socket on which a test writes what no HTTP client would. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import type { JsonObject } from '../../src/base/json.ts'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export class RawClient implements Disposable {
  readonly #socket: Socket
  readonly #closed: Promise<unknown>
  #received = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      socket.emit('received')
    })
    // A reset is one of the ways in which a server may close.
    socket.on('error', () => {})
    this.#closed = once(socket, 'close')
  }

  static async connect(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  write(text: string | Buffer): void {
    this.#socket.write(text)
  }

  /** Ends the connection without a word. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    await this.#closed
  }

  /** The next answer; what follows it stays for the next call. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const answer = this.#take()
      if (answer !== undefined) return answer
      if (this.#socket.destroyed) throw new Error(`Connection closed after: ${this.#received}`)
      const abort = new AbortController()
      const { signal } = abort
      await Promise.race([once(this.#socket, 'received', { signal }), this.#closed])
      abort.abort()
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #take(): RawAnswer | undefined {
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd === -1) return undefined
    const [statusLine = '', ...headerLines] = this.#received.slice(0, headEnd).split('\r\n')
    const headers = new Map(headerLines.map(splitHeader))
    const bodyEnd = headEnd + 4 + Number(headers.get('content-length') ?? 0)
    if (this.#received.length < bodyEnd) return undefined
    const body = this.#received.slice(headEnd + 4, bodyEnd)
    this.#received = this.#received.slice(bodyEnd)
    return { status: Number(statusLine.split(' ')[1]), headers, body }
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

/** A request as text. Host and Content-Length are added where the headers have none. */
export function rawRequest(
  headers: Readonly<Record<string, string>>,
  body: string,
  requestLine = 'POST / HTTP/1.1',
): string {
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  const defaults = { host: 'localhost', 'content-length': String(Buffer.byteLength(body)) }
  const added = Object.entries(defaults).filter(([name]) => !given.has(name))
  const lines = [...added, ...Object.entries(headers)].map(([name, value]) => `${name}: ${value}`)
  return `${requestLine}\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

export function target(operation: string): { 'X-Amz-Target': string } {
  return { 'X-Amz-Target': `Firehose_20150804.${operation}` }
}

/** Status and error of an answer, which is what tests of refusals compare. */
export function refusalIn(answer: RawAnswer): { status: number; type: unknown } {
  const { __type } = JSON.parse(answer.body) as JsonObject
  return { status: answer.status, type: __type }
}
