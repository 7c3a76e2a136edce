import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { TestApi } from '../../test/fakes/test-api.ts'

async function makeCertificate(): Promise<{ cert: Buffer; key: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-tls-'))
  const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const options =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', keyPath, '-out', certPath]
  await promisify(execFile)('openssl', ['req', ...options.split(' '), ...names, ...files])
  const certificate = { cert: await readFile(certPath), key: await readFile(keyPath) }
  await rm(folder, { recursive: true })
  return certificate
}

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
}

// Node can't make certificates; where openssl is missing, TLS goes untested.
test.skipIf(!hasOpenssl())('speaks HTTPS with a certificate, and drains', async () => {
  const tls = await makeCertificate()
  await using api = await TestApi.start({ tls })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const body = JSON.stringify({ DeliveryStreamName: 'logs' })
  const headers = { 'x-amz-target': 'Firehose_20150804.PutRecord', 'content-length': body.length }
  request(api.url, { method: 'POST', ca: tls.cert, headers }, resolve)
    .once('error', reject)
    .end(body)
  expect(api.url).toMatch(/^https:/)
  expect(await text(await promise)).toBe(`{"DeliveryStreamName":"logs","bodyBytes":${body.length}}`)
  await api.drain(new AbortController().signal)
})
