import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { hasOpenssl, makeCertificate } from '../../test/fakes/certificate.ts'
import { systemClock } from '../base/clock.ts'
import { NO_CONNECTIONS } from '../connections.ts'
import type { Connection } from '../connections.ts'
import { bodyOf, HttpClient } from './http-client.ts'

/** Host and port. */
async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function answering(status: number, see: (target: string) => void = () => {}): RequestListener {
  return (request, response) => {
    see(request.url ?? '')
    request.resume()
    response.writeHead(status).end()
  }
}

function clientWith(connection: Connection): HttpClient {
  const connections = { ...NO_CONNECTIONS, find: () => connection }
  const client = new HttpClient({ connections, clock: systemClock })
  onTestFinished(() => client.close())
  return client
}

function post(client: HttpClient, url: string) {
  const body = bodyOf(Buffer.from('body'))
  return client.post({ url, headers: {}, body, timeoutMs: 5_000 }, new AbortController().signal)
}

test('a proxy is asked for the whole URL', async () => {
  const targets: string[] = []
  const proxy = await listening(createServer(answering(204, (target) => targets.push(target))))
  const client = clientWith({ proxy: `http://${proxy}` })
  expect((await post(client, 'http://nowhere.invalid/in')).status).toBe(204)
  expect(targets).toEqual(['http://nowhere.invalid/in'])
})

test('what a proxy does not let through has had no effect', async () => {
  const server = createServer(answering(407))
  const client = clientWith({ proxy: `http://${await listening(server)}` })
  const unsent = { kind: 'connection-failed', effect: 'none' }
  await expect(post(client, 'http://nowhere.invalid/')).rejects.toMatchObject(unsent)
  // Without this it breaks the connection off.
  await expect(post(client, 'https://nowhere.invalid/')).rejects.toMatchObject(unsent)
  server.on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  await expect(post(client, 'https://nowhere.invalid/')).rejects.toMatchObject(unsent)
})

// Where openssl is missing, certificates go untested.
test.skipIf(!hasOpenssl())('the certificates are those of the connection, no others', async () => {
  const { cert, key } = await makeCertificate()
  const mutual = { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true }
  const url = `https://${await listening(createTlsServer(mutual, answering(200)))}/`
  const trusting = clientWith({ tlsCa: cert, tlsCertificate: cert, tlsKey: key })
  expect((await post(trusting, url)).status).toBe(200)
  const untrusted = { kind: 'tls-failed', effect: 'none' }
  await expect(post(clientWith({}), url)).rejects.toMatchObject(untrusted)
})

test('where TLS comes to nothing, nothing was sent', async () => {
  const address = await listening(createServer(answering(200)))
  await expect(post(clientWith({}), `https://${address}/`)).rejects.toMatchObject({
    kind: 'tls-failed',
    effect: 'none',
  })
})
