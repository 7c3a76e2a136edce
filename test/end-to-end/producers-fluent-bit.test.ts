/** Fluent Bit's requests and what it makes of the answers, against the real process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { hasOpenssl, makeCertificate } from '../fakes/certificate.ts'
import { FluentBit, RECORDS_MAX } from '../producers/fluent-bit.ts'
import type { FluentBitOptions } from '../producers/fluent-bit.ts'
import { declaredStreams, delivered, startFull } from '../producers/service.ts'
import { freePort } from '../servers/process.ts'
import { Service } from './harness.ts'

const KEY = { accessKeyId: 'AKIDFLUENTBIT', secretAccessKey: 'a fluent secret' }
const present = available('openssl', hasOpenssl())

let folder: string
let ca: string
let port: number
let environment: Record<string, string>

beforeAll(async () => {
  if (!present) return
  folder = await mkdtemp(join(tmpdir(), 'standpipe-fluent-bit-'))
  const { cert, key } = await makeCertificate()
  const [certPath, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(certPath, cert)
  await writeFile(keyPath, key)
  ca = cert
  port = await freePort()
  environment = {
    STANDPIPE_ACCESS_KEYS: `${KEY.accessKeyId}:${KEY.secretAccessKey}`,
    STANDPIPE_TLS_LISTEN: `127.0.0.1:${port}`,
    STANDPIPE_TLS_CERT: certPath,
    STANDPIPE_TLS_KEY: keyPath,
    ...declaredStreams('full', 'short', 'refused', 'untouched'),
  }
})
afterAll(async () => {
  if (present) await rm(folder, { recursive: true })
})

describe.runIf(present)('a service with access keys', () => {
  let service: Service
  beforeAll(async () => {
    service = await Service.start({ environment })
  })
  afterAll(() => service[Symbol.asyncDispose]())

  test('full chunks arrive once each, though it reads 4 KiB of the answer', async () => {
    using fluentBit = connected()
    const chunks = [events(0, RECORDS_MAX), events(RECORDS_MAX, RECORDS_MAX)]
    for (const chunk of chunks) {
      expect(await fluentBit.flush('full', chunk)).toEqual({ isSent: true, seenBytes: 4096 })
    }
    expect(fluentBit.connectionCount).toBe(2)
    const lines = linesOf(chunks.flat())
    expect(await delivered(service, 'full', lines)).toBe(lines)
  })

  test('a short answer leaves the connection open, behind a port mapping too', async () => {
    using fluentBit = connected({ hostPort: 443 })
    const [first, second] = [events(0, 2), events(2, 3)]
    expect(await fluentBit.flush('short', first)).toMatchObject({ isSent: true })
    expect(await fluentBit.flush('short', second)).toMatchObject({ isSent: true })
    expect(fluentBit.connectionCount).toBe(1)
    const lines = linesOf([...first, ...second])
    expect(await delivered(service, 'short', lines)).toBe(lines)
  })

  test('what can never succeed is told by names it knows', async () => {
    using stranger = connected({ accessKeyId: 'AKIDNOBODY' })
    using fluentBit = connected()
    // It fetches its credentials anew on this one.
    const unknownKey = { isSent: false, errorName: 'UnrecognizedClientException' }
    expect(await stranger.flush('untouched', events(0, 1))).toMatchObject(unknownKey)
    const unknownStream = { isSent: false, errorName: 'ResourceNotFoundException' }
    expect(await fluentBit.flush('nowhere', events(0, 1))).toMatchObject(unknownStream)
  })
})

test.runIf(present)(
  'what is refused has the name it knows, and its retry arrives once',
  async () => {
    await using full = await startFull(environment)
    using refusing = connected()
    const refused = await refusing.flush('refused', events(0, 20))
    expect(refused).toMatchObject({ isSent: false, errorName: 'ServiceUnavailableException' })
    await full.kill()

    await using service = await Service.start({ environment, dataDir: full.dataDir })
    using fluentBit = connected()
    expect(await fluentBit.flush('refused', events(0, 20))).toMatchObject({ isSent: true })
    const lines = linesOf(events(0, 20))
    expect(await delivered(service, 'refused', lines)).toBe(lines)
  },
)

function connected(options: Partial<FluentBitOptions> = {}): FluentBit {
  return new FluentBit({ port, ca, ...KEY, ...options })
}

function events(first: number, count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    log: `GET /${first + index} "ünïcödé"`,
    stream: 'stdout',
  }))
}

function linesOf(sent: readonly object[]): string {
  return sent.map((event) => `${JSON.stringify(event)}\n`).join('')
}
