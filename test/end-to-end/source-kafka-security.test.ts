import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/connections.ts'
import { hasOpenssl, makeCertificate } from '../fakes/certificate.ts'
import type { Certificate } from '../fakes/certificate.ts'
import { KafkaRun } from '../fakes/kafka-run.ts'
import { KafkaTopic } from '../fakes/kafka-topic.ts'
import { installKafka, KAFKA_USER, startKafka } from '../servers/kafka.ts'
import type { KafkaServer, SecureListeners } from '../servers/kafka.ts'

const possible = hasOpenssl() && (await installKafka())
if (!possible) console.warn('Skipped: no Kafka or no openssl, see test/servers/kafka.ts')

describe.skipIf(!possible)('a Kafka that wants TLS and credentials', () => {
  let kafka: KafkaServer
  let certificate: Certificate
  let topic: KafkaTopic

  beforeAll(async () => {
    certificate = await makeCertificate()
    kafka = await startKafka(certificate)
    topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['a'])
  })
  afterAll(async () => {
    await topic[Symbol.asyncDispose]()
    await kafka[Symbol.asyncDispose]()
  })

  const listeners = (): SecureListeners => {
    if (kafka.secure === undefined) throw new Error('The server has no secure listeners')
    return kafka.secure
  }
  const read = async (connection: Connection): Promise<KafkaRun> => {
    const run = new KafkaRun({ topic: topic.name, connection })
    await run.host.until(() => run.host.records.length > 0 || run.errorCodes.length > 0)
    await run[Symbol.asyncDispose]()
    return run
  }

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    'is read with %s',
    async (sasl) => {
      const brokers = listeners().sasl
      const run = await read({ brokers, tls: true, tlsCa: certificate.cert, sasl, ...KAFKA_USER })
      expect(run.errorCodes).toEqual([])
      expect(run.texts).toEqual(['a'])
    },
  )

  test('is read with a client certificate', async () => {
    const run = await read({
      brokers: listeners().mutualTls,
      tls: true,
      tlsCa: certificate.cert,
      tlsCertificate: certificate.cert,
      tlsKey: certificate.key,
    })
    expect(run.errorCodes).toEqual([])
    expect(run.texts).toEqual(['a'])
  })

  test('is not read with a wrong password, which is shown without it', async () => {
    const connection = { brokers: listeners().sasl, tls: true, tlsCa: certificate.cert } as const
    const run = await read({
      ...connection,
      sasl: 'SCRAM-SHA-256',
      username: 'standpipe',
      password: 'wrong-secret',
    })
    expect(run.errorCodes[0]).toBe('Kafka.AuthenticationFailed')
    expect(JSON.stringify(run.host.failures.map(({ error }) => error.message))).not.toContain(
      'wrong-secret',
    )
  })

  test('is not read where its certificate is not trusted', async () => {
    const run = await read({ brokers: listeners().sasl, tls: true, sasl: 'PLAIN', ...KAFKA_USER })
    expect(run.errorCodes[0]).toBe('Kafka.ConnectionFailed')
    expect(run.host.failures[0]?.error.message).toMatch(/certificate/)
  })
})
