/**
 * The listener: node:http or node:https, as strict and as bounded as Node's parser can be told to
 * be. It refuses, among others, two lengths, a length with Transfer-Encoding, and bare line feeds,
 * which is what request smuggling is made of.
 */
import { strict as assert } from 'node:assert'
import { createServer as createHttpServer, STATUS_CODES } from 'node:http'
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { AWS_JSON } from './answer.ts'
import type { RequestHandler } from './request-handler.ts'
import { makeUuid } from '../base/uuid.ts'

export interface ApiServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** PEM. Present: the listener speaks HTTPS only. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer }
  readonly handler: RequestHandler
  readonly clock: Clock
  readonly limits?: Partial<ServerLimits>
}

export interface ServerLimits {
  readonly connectionCountMax: number
  /** Of the request line and all headers of a request. */
  readonly headerBytesMax: number
  readonly headersTimeoutMs: number
  /** From a request's first byte to its last. */
  readonly requestTimeoutMs: number
  /** Longer than the 60 s for which load balancers and client pools keep idle connections. */
  readonly keepAliveTimeoutMs: number
  /** A socket on which nothing moves, as when a client never reads its answer. */
  readonly idleTimeoutMs: number
}

const LIMITS_DEFAULT: ServerLimits = {
  connectionCountMax: 2_000,
  headerBytesMax: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  idleTimeoutMs: 120_000,
}

export class ApiServer {
  readonly #options: ApiServerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** The sockets of requests that are being handled. */
  readonly #inFlight = new Map<Promise<void>, Socket>()
  #url: string | undefined
  #draining: Promise<void> | undefined

  constructor(options: ApiServerOptions) {
    this.#options = options
    const limits = { ...LIMITS_DEFAULT, ...options.limits }
    this.#server = createServer(limits, options.tls)
    this.#server.maxConnections = limits.connectionCountMax
    // The headers' size bounds their number; dropping some unsaid would hide them from checks.
    this.#server.maxHeadersCount = 0
    this.#server.setTimeout(limits.idleTimeoutMs)
    this.#server.on(
      options.tls === undefined ? 'connection' : 'secureConnection',
      (socket: Socket) => {
        this.#sockets.add(socket)
        socket.once('close', () => this.#sockets.delete(socket))
      },
    )
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response, false)
    })
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response, true)
    })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      this.#refuse(error, socket)
    })
  }

  /** Rejects when the address can't be had, e.g. because it is in use. */
  async listen(): Promise<void> {
    const { host, port, tls } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ host, port }, resolve)
    await promise
    this.#server.off('error', reject)
    const taken = this.#server.address() as AddressInfo
    const takenHost = taken.family === 'IPv6' ? `[${taken.address}]` : taken.address
    this.#url = `${tls === undefined ? 'http' : 'https'}://${takenHost}:${taken.port}`
  }

  /** e.g. `http://127.0.0.1:4573`, with the port that was taken. Only after `listen`. */
  get url(): string {
    assert(this.#url !== undefined, 'the server listens')
    return this.#url
  }

  /**
   * Takes no more connections, answers what is in flight, then closes. When the signal aborts,
   * closes at once and waits for nothing. May be called again, e.g. with a signal that aborts.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining ??= this.#close()
    const { promise: aborted, resolve } = Promise.withResolvers<void>()
    const abort = (): void => {
      this.#server.closeAllConnections()
      resolve()
    }
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    await Promise.race([this.#draining, aborted])
    signal.removeEventListener('abort', abort)
  }

  async #close(): Promise<void> {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    // Node would wait for connections that have never sent a request. Busy ones close with their
    // answer, which says so.
    const busy = new Set(this.#inFlight.values())
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroySoon()
    // A request may be in flight whose client has gone.
    await Promise.all([closed, ...this.#inFlight.keys()])
  }

  #handle(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const close = (): boolean => this.#draining !== undefined
    const handled = this.#options.handler.handle(request, response, { close, awaitsContinue })
    this.#inFlight.set(handled, request.socket)
    void handled.finally(() => this.#inFlight.delete(handled))
  }

  /** Answers what the parser refused; there is no request to speak of. */
  #refuse({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const statusCode = statusOfParserError(code)
    const type = statusCode === 408 ? 'RequestTimeoutException' : 'BadRequestException'
    const body = JSON.stringify({ __type: type, message: 'Cannot read the request' })
    const headers = [
      `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`,
      `Content-Type: ${AWS_JSON}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `x-amzn-ErrorType: ${type}`,
      `x-amzn-RequestId: ${makeUuid(this.#options.clock)}`,
      'Connection: close',
    ]
    socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
  }
}

function createServer(limits: ServerLimits, tls: ApiServerOptions['tls']): Server {
  const options: ServerOptions = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.headersTimeoutMs / 2, 5_000),
    // Or Node keeps the first of two headers, and a check could read another than the signer wrote.
    joinDuplicateHeaders: true,
  }
  if (tls === undefined) return createHttpServer(options)
  return createHttpsServer({ ...options, ...tls, handshakeTimeout: limits.headersTimeoutMs })
}

function statusOfParserError(code: string | undefined): number {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408
  return code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
}
