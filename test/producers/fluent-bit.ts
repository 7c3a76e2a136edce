/**
 * Fluent Bit's output `kinesis_firehose`, the one in C, as its sources have it up to version 4: no
 * package registry has the program itself. What is peculiar about it:
 *
 * - It speaks TLS only. The Host header bears the port, 443 too. All headers that there are by then are
 *   signed, Content-Length and User-Agent among them; there is no X-Amz-Content-Sha256.
 * - A record is a line of JSON with its line feed; the body is put together as text.
 * - Of an answer it reads 4 KiB, the head included. A longer one it judges by its beginning, and cuts
 *   the connection. An answer to 500 records is always longer.
 * - Records are sent when the answer is 200 and has the text `"FailedPutCount":0`. Otherwise all of them
 *   are sent again, also when only one was refused.
 * - The error's name is what stands in `__type`, compared as it is.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Hash, Hmac } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { SignatureV4 } from '@smithy/signature-v4'

export const RECORDS_MAX = 500
const ANSWER_BYTES_MAX = 4096
const ANSWER_HEAD = /^HTTP\/1\.1 (\d{3}) .*?\r\n\r\n/s

export interface FluentBitOptions {
  readonly port: number
  /** The authority that `tls.ca_file` names, PEM. */
  readonly ca: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** What it was told to connect to, when something in between takes that to `port`. */
  readonly hostPort?: number
}

export interface Flush {
  /** Otherwise its engine flushes the same records again, later. */
  readonly isSent: boolean
  readonly errorName?: string
  /** Of the answer, what it has seen. */
  readonly seenBytes: number
}

export class FluentBit implements Disposable {
  readonly #options: FluentBitOptions
  readonly #signer: SignatureV4
  #socket: TLSSocket | undefined
  #connectionCount = 0

  constructor(options: FluentBitOptions) {
    this.#options = options
    const { accessKeyId, secretAccessKey } = options
    this.#signer = new SignatureV4({
      service: 'firehose',
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      sha256: Sha256,
      applyChecksum: false,
    })
  }

  get connectionCount(): number {
    return this.#connectionCount
  }

  /** One PutRecordBatch of at most 500 events. */
  async flush(streamName: string, events: readonly object[]): Promise<Flush> {
    const records = events.map((event) => {
      const line = `${JSON.stringify(event)}\n`
      return `{"Data":"${Buffer.from(line).toString('base64')}"}`
    })
    const body = `{"DeliveryStreamName":"${streamName}","Records":[${records.join(',')}]}`
    const socket = (this.#socket ??= await this.#connect())
    socket.write(await this.#request(body))
    const seen = await this.#read(socket)
    const [head = '', status] = ANSWER_HEAD.exec(seen) ?? []
    const payload = seen.slice(head.length)
    const isSent = status === '200' && payload.includes('"FailedPutCount":0')
    const errorName = /"__type":"([^"]*)"/.exec(payload)?.[1]
    const flush = { isSent, seenBytes: Buffer.byteLength(seen, 'latin1') }
    return errorName === undefined ? flush : { ...flush, errorName }
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy()
  }

  async #connect(): Promise<TLSSocket> {
    const { port, ca } = this.#options
    const socket = connect({ port, ca, host: '127.0.0.1' })
    await once(socket, 'secureConnect')
    this.#connectionCount += 1
    return socket.setEncoding('latin1')
  }

  async #request(body: string): Promise<string> {
    const { port, hostPort = port } = this.#options
    const headers = {
      Host: `127.0.0.1:${hostPort}`,
      'Content-Length': String(Buffer.byteLength(body)),
      'User-Agent': 'aws-fluent-bit-plugin',
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Target': 'Firehose_20150804.PutRecordBatch',
    }
    const signed = await this.#signer.sign(
      { method: 'POST', protocol: 'https:', hostname: '127.0.0.1', path: '/', headers, body },
      { signableHeaders: new Set(Object.keys(headers).map((name) => name.toLowerCase())) },
    )
    const lines = Object.entries({ ...signed.headers, Connection: 'keep-alive' })
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    return `POST / HTTP/1.1\r\n${head}\r\n${body}`
  }

  /** As much of the answer as it would keep. */
  async #read(socket: TLSSocket): Promise<string> {
    let seen = ''
    for (;;) {
      const [text] = (await once(socket, 'data')) as [string]
      seen += text
      if (seen.length >= ANSWER_BYTES_MAX) {
        socket.destroy()
        this.#socket = undefined
        return seen.slice(0, ANSWER_BYTES_MAX)
      }
      const [head] = ANSWER_HEAD.exec(seen) ?? []
      if (head === undefined) continue
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (length === undefined) throw new Error(`Cannot read answer: no Content-Length: ${head}`)
      if (seen.length >= head.length + Number(length)) return seen
    }
  }
}

/** As the signer wants it. */
class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key = secret as string | Uint8Array | undefined
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key)
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
}
