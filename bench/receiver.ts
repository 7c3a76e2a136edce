/**
 * The least that an endpoint of Firehose's HTTP protocol, and a HTTP event collector of Splunk's, can
 * do in Node: receives what is posted, reads nothing of it, and acknowledges it. Prints its port.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

let ackId = 0

const server = createServer((request, response) => {
  const { url = '', headers } = request
  const answer = (members: object): void => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(members))
  }
  if (url.startsWith('/services/collector/ack')) {
    let question = ''
    request.on('data', (bytes: Buffer) => {
      question += bytes.toString()
    })
    request.on('end', () => {
      const { acks } = JSON.parse(question) as { acks: number[] }
      answer({ acks: Object.fromEntries(acks.map((id) => [id, true])) })
    })
    return
  }
  request.resume()
  request.on('end', () => {
    if (url.startsWith('/services/collector/')) {
      ackId += 1
      answer({ text: 'Success', code: 0, ackId })
    } else answer({ requestId: headers['x-amz-firehose-request-id'], timestamp: Date.now() })
  })
})
// Senders prepare for longer than connections are usually kept.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
