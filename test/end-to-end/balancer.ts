/** What stands before many nodes: each new connection goes to the next node that takes it. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export class Balancer implements AsyncDisposable {
  readonly url: string
  readonly #server: Server
  readonly #ports: readonly number[]
  readonly #sockets = new Set<Socket>()
  #connectionCount = 0

  private constructor(server: Server, ports: readonly number[]) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    this.#server = server
    this.#ports = ports
    server.on('connection', (client) => void this.#serve(client))
  }

  static async start(urls: readonly string[]): Promise<Balancer> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Balancer(
      server,
      urls.map((url) => Number(new URL(url).port)),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(client: Socket): Promise<void> {
    this.#hold(client)
    const upstream = await this.#connect()
    if (upstream === undefined) {
      client.destroy()
      return
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  }

  async #connect(): Promise<Socket | undefined> {
    this.#connectionCount += 1
    for (let attempt = 0; attempt < this.#ports.length; attempt += 1) {
      const port = this.#ports[(this.#connectionCount + attempt) % this.#ports.length] ?? 0
      const socket = this.#hold(connect(port, '127.0.0.1'))
      const connected = await once(socket, 'connect').then(
        () => true,
        () => false,
      )
      if (connected) return socket
    }
    return undefined
  }

  #hold(socket: Socket): Socket {
    this.#sockets.add(socket)
    // One end tells the other by closing.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }
}
