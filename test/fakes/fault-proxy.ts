/** A TCP proxy before a real server, that can do to a connection what networks do. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export type ProxyMode =
  | { readonly kind: 'pass' }
  /** Nobody listens. */
  | { readonly kind: 'closed' }
  /** Takes what is sent, passes nothing on, never replies. */
  | { readonly kind: 'hang' }
  /**
   * Passes on what is sent. Once `marker` was among it, the next reply is swallowed and the
   * connection cut: the request had its effect, and nobody hears of it.
   */
  | { readonly kind: 'lose reply'; readonly marker: string }

export class FaultProxy implements AsyncDisposable {
  readonly port: number
  readonly #targetPort: number
  #server: Server | undefined
  #mode: ProxyMode = { kind: 'pass' }
  readonly #sockets = new Set<Socket>()
  #lostCount = 0

  private constructor(port: number, targetPort: number, server: Server) {
    this.port = port
    this.#targetPort = targetPort
    this.#server = server
    server.on('connection', (socket) => this.#serve(socket))
  }

  static async start(targetPort: number): Promise<FaultProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultProxy((server.address() as AddressInfo).port, targetPort, server)
  }

  /** Replies lost so far. */
  get lostCount(): number {
    return this.#lostCount
  }

  /** Cuts what is open, so that the mode holds for all that follows. */
  async become(mode: ProxyMode): Promise<void> {
    this.#mode = mode
    for (const socket of this.#sockets) socket.resetAndDestroy()
    if (mode.kind === 'closed') await this.#close()
    else if (this.#server === undefined) await this.#listen()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.become({ kind: 'closed' })
  }

  async #listen(): Promise<void> {
    this.#server = createServer().listen(this.port, '127.0.0.1')
    this.#server.on('connection', (socket) => this.#serve(socket))
    await once(this.#server, 'listening')
  }

  async #close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    server?.close()
    if (server !== undefined) await once(server, 'close')
  }

  #serve(client: Socket): void {
    const mode = this.#mode
    this.#hold(client)
    if (mode.kind === 'hang') {
      client.resume()
      return
    }
    const upstream = this.#hold(connect(this.#targetPort, '127.0.0.1'))
    let isMarked = false
    client.on('data', (bytes) => {
      if (mode.kind === 'lose reply') isMarked ||= bytes.includes(mode.marker)
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (!isMarked) {
        client.write(bytes)
        return
      }
      this.#lostCount += 1
      client.resetAndDestroy()
      upstream.destroy()
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  }

  #hold(socket: Socket): Socket {
    this.#sockets.add(socket)
    // A connection that breaks is what this proxy is for.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }
}
