import { execFile } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CLUSTER_ID, JAVA_OPTIONS } from './kafka.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

/** Three Kafka nodes, each broker and controller; where installKafka says that there is one. */
export interface KafkaCluster extends AsyncDisposable {
  /** `host:port,…` of all. */
  readonly brokers: string
  readonly nodes: readonly KafkaNode[]
}

export interface KafkaNode {
  /** By which the cluster names it; from 1 on. */
  readonly id: number
  /** kill -9, and the same data once more. */
  kill(): Promise<void>
  restart(): Promise<void>
  /** Its connections stay, and nothing is answered until it is thawed. */
  freeze(): void
  thaw(): void
}

interface Place {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly folder: string
}

const NODE_COUNT = 3
/** How long the cluster waits for a node that is silent; Kafka's default is 9 s. */
const BROKER_SESSION_MS = 3_000
/** Three at once, each waiting for the others. */
const READY_MS_MAX = 120_000
/** Ready sooner, and no slower in what tests do with it. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', ...JAVA_OPTIONS]
const run = promisify(execFile)

export async function startKafkaCluster(): Promise<KafkaCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'kafka-cluster-'))
  const places: Place[] = []
  for (let id = 1; id <= NODE_COUNT; id += 1) {
    const [port, controllerPort] = [await freePort(), await freePort()]
    places.push({ id, port, controllerPort, folder: join(folder, String(id)) })
  }
  const voters = places.map((place) => `${place.id}@127.0.0.1:${place.controllerPort}`).join(',')
  const starts = await Promise.allSettled(
    places.map(async (place) => await startNode(place, voters)),
  )
  const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const dispose = async (): Promise<void> => {
    await Promise.all(nodes.map(async (node) => await node.stop()))
    await rm(folder, { recursive: true, force: true })
  }
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed !== undefined) {
    await dispose()
    throw failed.reason
  }
  return {
    brokers: places.map(({ port }) => `127.0.0.1:${port}`).join(','),
    nodes,
    [Symbol.asyncDispose]: dispose,
  }
}

async function startNode(
  { id, port, controllerPort, folder }: Place,
  voters: string,
): Promise<KafkaNode & { stop(): Promise<void> }> {
  await mkdir(folder)
  const properties = join(folder, 'server.properties')
  const settings = [
    'process.roles=broker,controller',
    `node.id=${id}`,
    `controller.quorum.voters=${voters}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `log.dirs=${join(folder, 'data')}`,
    'offsets.topic.num.partitions=4',
    `broker.session.timeout.ms=${BROKER_SESSION_MS}`,
    'broker.heartbeat.interval.ms=500',
    'group.initial.rebalance.delay.ms=0',
    'auto.create.topics.enable=false',
  ]
  await writeFile(properties, settings.join('\n'))
  const format = ['format', '-t', CLUSTER_ID, '-c', properties]
  await run('java', [...QUICK_START, 'kafka.tools.StorageTool', ...format])
  const start = async (): Promise<ChildProcess> =>
    await startProcess(['java', ...QUICK_START, 'kafka.Kafka', properties], {
      readyMsMax: READY_MS_MAX,
      port,
      folder,
      environment: {},
    })
  let child = await start()
  return {
    id,
    kill: async () => {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
    restart: async () => {
      child = await start()
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: async () => await stopProcess(child),
  }
}
