import { execFile } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Certificate } from '../fakes/certificate.ts'
import { findProgram } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

/** One Kafka node that is broker and controller, for as long as it isn't disposed of. */
export interface KafkaServer extends AsyncDisposable {
  /** Of the listener without TLS and authentication: `host:port,…`. */
  readonly brokers: string
  /** Of the listeners that a server started with a certificate has. */
  readonly secure: SecureListeners | undefined
  /** kill -9, and the same data once more; not for an external server. */
  kill(): Promise<void>
  restart(): Promise<void>
}

export interface SecureListeners {
  /** TLS, and SASL with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 as KAFKA_USER. */
  readonly sasl: string
  /** TLS with a client certificate, which may be the server's own. */
  readonly mutualTls: string
}

export const KAFKA_USER = { username: 'standpipe', password: 'correct-horse' } as const

const VERSION = '4.4.0'
const run = promisify(execFile)
const JARS = fileURLToPath(new URL(`../../.cache/kafka-${VERSION}`, import.meta.url))
const PROJECT = fileURLToPath(new URL('kafka/pom.xml', import.meta.url))
export const JAVA_OPTIONS = ['-Xms192m', '-Xmx384m', '-XX:+UseSerialGC', '-cp', `${JARS}/*`]
export const CLUSTER_ID = 'c3RhbmRwaXBlLXRlc3QtMQ'

/**
 * Whether there is a server to start: the one at TEST_KAFKA_BROKERS, or a node of our own from jars of
 * Maven Central, fetched into .cache/ by whoever needs it first. It takes a JDK of version 17 or later.
 */
export async function installKafka(): Promise<boolean> {
  if (externalBrokers() !== undefined) return true
  if (findProgram('java') === undefined) return false
  if (existsSync(JARS)) return true
  if (findProgram('mvn') === undefined) return false
  // Fetched aside and moved, so that a download that was cut short is never taken for the server.
  const fetching = `${JARS}-${process.pid}`
  try {
    await mkdir(fetching, { recursive: true })
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${fetching}`]
    await run('mvn', ['-B', '-q', '-f', PROJECT, ...goal])
    await rename(fetching, JARS)
    return true
  } catch (error) {
    await rm(fetching, { recursive: true, force: true })
    console.warn(`Cannot install Kafka: ${String(error)}`)
    return false
  }
}

/**
 * @param certificate with which it has secure listeners too
 * @param settings of the broker, as lines of server.properties
 */
export async function startKafka(
  certificate?: Certificate,
  settings: readonly string[] = [],
): Promise<KafkaServer> {
  const external = externalBrokers()
  if (external !== undefined && certificate === undefined && settings.length === 0) {
    return externalServer(external)
  }
  const [plain, controller, sasl, mutual] = await freePorts()
  const folder = await mkdtemp(join(tmpdir(), 'kafka-'))
  const properties = join(folder, 'server.properties')
  const listeners = [
    `PLAINTEXT://127.0.0.1:${plain}`,
    ...(certificate === undefined
      ? []
      : [`SECURE://127.0.0.1:${sasl}`, `MUTUAL://127.0.0.1:${mutual}`]),
  ].join(',')
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=${listeners},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=${listeners}`,
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL',
      'inter.broker.listener.name=PLAINTEXT',
      `log.dirs=${join(folder, 'data')}`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=4',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'transaction.state.log.num.partitions=2',
      'share.coordinator.state.topic.replication.factor=1',
      'share.coordinator.state.topic.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      'auto.create.topics.enable=false',
      'message.max.bytes=12000000',
      ...(certificate === undefined ? [] : secureSettings(certificate)),
      ...settings,
    ].join('\n'),
  )
  const { username, password } = KAFKA_USER
  const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password}]`,
  ])
  const format = ['format', '-t', CLUSTER_ID, '-c', properties, ...users]
  await run('java', [...JAVA_OPTIONS, 'kafka.tools.StorageTool', ...format])
  const start = async (): Promise<ChildProcess> =>
    await startProcess(['java', ...JAVA_OPTIONS, 'kafka.Kafka', properties], {
      port: plain,
      folder,
      environment: {},
    })
  let child = await start()
  return {
    brokers: `127.0.0.1:${plain}`,
    secure:
      certificate === undefined
        ? undefined
        : { sasl: `127.0.0.1:${sasl}`, mutualTls: `127.0.0.1:${mutual}` },
    kill: async () => {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
    restart: async () => {
      child = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await stopProcess(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function externalBrokers(): string | undefined {
  return process.env['TEST_KAFKA_BROKERS']
}

function externalServer(brokers: string): KafkaServer {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error('Cannot stop a Kafka that was started by others'))
  return {
    brokers,
    secure: undefined,
    kill: refuse,
    restart: refuse,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

async function freePorts(): Promise<readonly [number, number, number, number]> {
  return [await freePort(), await freePort(), await freePort(), await freePort()]
}

/** PEM inline: a line of a properties file, with its line ends written out. */
function secureSettings({ cert, key }: Certificate): readonly string[] {
  const [certLine, keyLine] = [cert, key].map((pem) => pem.trim().replaceAll('\n', '\\n'))
  const { username, password } = KAFKA_USER
  const modules = 'org.apache.kafka.common.security'
  const plain = `${modules}.plain.PlainLoginModule required user_${username}="${password}";`
  const scram = `${modules}.scram.ScramLoginModule required;`
  const sasl = 'listener.name.secure'
  return [
    'ssl.keystore.type=PEM',
    `ssl.keystore.certificate.chain=${certLine}`,
    `ssl.keystore.key=${keyLine}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.certificates=${certLine}`,
    'listener.name.mutual.ssl.client.auth=required',
    `${sasl}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512`,
    `${sasl}.plain.sasl.jaas.config=${plain}`,
    `${sasl}.scram-sha-256.sasl.jaas.config=${scram}`,
    `${sasl}.scram-sha-512.sasl.jaas.config=${scram}`,
  ]
}
