/**
 * A server that speaks Postgres's wire protocol as far as a load into Redshift needs it, and records
 * the statements that it was sent. It keeps the ledger's rows by transaction, so that a repeat meets
 * what an earlier attempt left; it reads no objects. Its tables are as real as this:
 *
 *   startup, password (in clear text) ▸ ready
 *   Query ▸ recorded ▸ answered by its first words ▸ ready
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export interface StatementFailure {
  /** The statement's first word. */
  readonly statement: string
  readonly code: string
  readonly message: string
}

const SSL_REQUEST = 80_877_103
const BATCH_ID = /'([0-9A-HJKMNP-TV-Z]{26})'/

export class RedshiftCluster implements AsyncDisposable {
  readonly port: number
  readonly statements: string[] = []
  /** Batches of committed ledger rows. */
  readonly ledger = new Set<string>()
  /** COPYs that were committed. */
  copyCount = 0
  /** What the next statement of this kind is answered. */
  failure: StatementFailure | undefined
  /** The next COMMIT is kept, and its answer is not. */
  losesCommit = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #hasLedger = false

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      // A connection that the client cuts is no matter.
      socket.on('error', () => undefined)
      socket.once('close', () => this.#sockets.delete(socket))
      ClusterSession.serve(this, socket)
    })
  }

  static async start(): Promise<RedshiftCluster> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new RedshiftCluster(server)
  }

  get hasLedger(): boolean {
    return this.#hasLedger
  }

  createLedger(): void {
    this.#hasLedger = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** One connection with its transaction. */
class ClusterSession {
  readonly #cluster: RedshiftCluster
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #isStarted = false
  #status: 'I' | 'T' | 'E' = 'I'
  #rows: string[] = []
  #copyCount = 0

  private constructor(cluster: RedshiftCluster, socket: Socket) {
    this.#cluster = cluster
    this.#socket = socket
  }

  static serve(cluster: RedshiftCluster, socket: Socket): void {
    const session = new ClusterSession(cluster, socket)
    socket.on('data', (bytes) => {
      session.#received = Buffer.concat([session.#received, bytes])
      while (session.#takeMessage()) continue
    })
  }

  #takeMessage(): boolean {
    const headerBytes = this.#isStarted ? 5 : 4
    if (this.#received.byteLength < headerBytes) return false
    const endBytes = headerBytes - 4 + this.#received.readUInt32BE(headerBytes - 4)
    if (this.#received.byteLength < endBytes) return false
    const body = this.#received.subarray(headerBytes, endBytes)
    const type = this.#isStarted ? String.fromCharCode(this.#received.readUInt8(0)) : 'startup'
    this.#received = this.#received.subarray(endBytes)
    this.#answer(type, body)
    return true
  }

  #answer(type: string, body: Buffer): void {
    if (type === 'startup') {
      if (body.readUInt32BE(0) === SSL_REQUEST) return void this.#socket.write('N')
      this.#isStarted = true
      this.#send('R', uint32(3))
    } else if (type === 'p') {
      this.#send('R', uint32(0))
      this.#ready()
    } else if (type === 'Q') this.#query(body.toString('utf8', 0, body.byteLength - 1))
    else if (type === 'X') this.#socket.end()
  }

  #query(text: string): void {
    const cluster = this.#cluster
    cluster.statements.push(text)
    const [command = ''] = text.split(' ')
    if (cluster.failure?.statement === command) return this.#fail(cluster.failure)
    const id = BATCH_ID.exec(text)?.[1] ?? ''
    if (command === 'SELECT') {
      const found = text.includes('pg_tables') ? cluster.hasLedger : cluster.ledger.has(id)
      this.#send('T', Buffer.concat([uint16(1), column('?column?')]))
      if (found) this.#send('D', Buffer.concat([uint16(1), uint32(1), Buffer.from('1')]))
      return this.#complete(`SELECT ${found ? 1 : 0}`)
    }
    if (command === 'CREATE') cluster.createLedger()
    if (command === 'BEGIN') this.#status = 'T'
    if (command === 'COPY') this.#copyCount += 1
    if (command === 'INSERT') this.#rows.push(id)
    if (command === 'COMMIT' && this.#commit()) return
    this.#complete(command === 'INSERT' ? 'INSERT 0 1' : command)
  }

  /** @returns whether its answer is lost */
  #commit(): boolean {
    const cluster = this.#cluster
    for (const id of this.#rows) cluster.ledger.add(id)
    cluster.copyCount += this.#copyCount
    this.#status = 'I'
    if (!cluster.losesCommit) return false
    cluster.losesCommit = false
    this.#socket.resetAndDestroy()
    return true
  }

  #fail({ code, message }: StatementFailure): void {
    this.#cluster.failure = undefined
    if (this.#status === 'T') this.#status = 'E'
    const fields = [`SERROR`, `C${code}`, `M${message}`].map((field) => `${field}\0`)
    this.#send('E', Buffer.from(`${fields.join('')}\0`))
    this.#ready()
  }

  #complete(tag: string): void {
    this.#send('C', Buffer.from(`${tag}\0`))
    this.#ready()
  }

  #ready(): void {
    this.#send('Z', Buffer.from(this.#status))
  }

  #send(type: string, body: Buffer): void {
    this.#socket.write(Buffer.concat([Buffer.from(type), uint32(body.byteLength + 4), body]))
  }
}

/** A column of text, without a table. */
function column(name: string): Buffer {
  const [table, place, type, size, modifier, format] = [0, 0, 25, 65_535, 0, 0] as const
  return Buffer.concat([
    Buffer.from(`${name}\0`),
    uint32(table),
    uint16(place),
    uint32(type),
    uint16(size),
    uint32(modifier),
    uint16(format),
  ])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
