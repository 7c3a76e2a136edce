/**
 * The least that a Node server can do with a request: receive its body into one buffer and answer.
 * Prints its port. Its processor time is the "receive" piece.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((request, response) => {
  const body = Buffer.allocUnsafe(Number(request.headers['content-length']))
  let received = 0
  request.on('data', (bytes: Buffer) => {
    bytes.copy(body, received)
    received += bytes.byteLength
  })
  request.on('end', () => response.end('{"FailedPutCount":0}'))
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
