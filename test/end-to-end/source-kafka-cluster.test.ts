import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaRun } from '../fakes/kafka-run.ts'
import { KafkaTopic } from '../fakes/kafka-topic.ts'
import { installKafka } from '../servers/kafka.ts'
import { startKafkaCluster } from '../servers/kafka-cluster.ts'
import type { KafkaCluster, KafkaNode } from '../servers/kafka-cluster.ts'
import { until } from '../servers/until.ts'

const SERVER_MS_MAX = 180_000
const TEST_MS_MAX = 240_000
/** A broker that is away is found out after 3 s; this is for a machine that is busy. */
const ELECTION_MS_MAX = 60_000
/** A request is given up after 10 s; then another broker is asked. */
const SILENT_MS_MAX = 15_000
const ROUNDS = 10
const PARTITIONS = 6
const ALL = [...Array(PARTITIONS).keys()]
const SEND_COUNT = 50

const possible = (await installKafka()) && process.env['TEST_KAFKA_BROKERS'] === undefined
if (!possible) console.warn('Skipped: no Kafka of our own, see test/servers/kafka.ts')

describe.skipIf(!possible)('a cluster that loses brokers', { timeout: TEST_MS_MAX }, () => {
  let kafka: KafkaCluster

  beforeAll(async () => {
    kafka = await startKafkaCluster()
  }, SERVER_MS_MAX)
  afterAll(async () => {
    await kafka[Symbol.asyncDispose]()
  })

  const untilLeaders = async (
    topic: KafkaTopic,
    wanted: (leaders: readonly number[]) => boolean,
  ): Promise<readonly number[]> =>
    await until('the leaders to be others', ELECTION_MS_MAX, async () => {
      const leaders = await topic.leaders()
      return leaders.length > 0 && wanted(leaders) ? leaders : undefined
    })
  /** While leaders change it is tried again: some may be in the topic twice. */
  const produce = async (topic: KafkaTopic, partition: number, values: readonly string[]) => {
    await until('records to be taken', ELECTION_MS_MAX, () =>
      topic.produce(partition, values).then(
        () => true,
        () => undefined,
      ),
    )
  }

  test('is read where there are leaders, while other partitions have none', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers, { partitions: PARTITIONS })
    const before = await untilLeaders(topic, (leaders) => !leaders.includes(-1))
    await using run = new KafkaRun({ topic: topic.name, connection: { brokers: kafka.brokers } })
    for (const partition of ALL) await produce(topic, partition, [`before ${partition}`])
    await run.untilRecords(PARTITIONS)

    const node = kafka.nodes[1] as KafkaNode
    await node.kill()
    await untilLeaders(topic, (leaders) => leaders.includes(-1))
    const lost = ALL.filter((partition) => before[partition] === node.id)
    const left = ALL.filter((partition) => before[partition] !== node.id)
    expect(lost.length).toBeGreaterThan(0)
    // Longer than what is known of leaders is believed, and than a session without heartbeats lasts.
    const rounds = 12
    for (let round = 1; round <= rounds; round += 1) {
      for (const partition of left) await produce(topic, partition, [`${round} ${partition}`])
      await run.untilRecords(PARTITIONS + left.length * round)
      await sleep(1_000)
    }
    await run.host.until(() =>
      lost.every((partition) =>
        run.host.failures.some(
          (failure) =>
            failure.partition === String(partition) &&
            failure.error.errorCode === 'Kafka.LeaderNotAvailable',
        ),
      ),
    )
    const failing = run.host.failures.map(({ partition }) => partition)
    for (const partition of left) expect(failing).not.toContain(String(partition))

    await node.restart()
    for (const partition of ALL) await produce(topic, partition, [`after ${partition}`])
    const contents = await topic.contents()
    await run.untilRecords(contents.length)
    expect(run.texts.toSorted()).toEqual(contents.toSorted())
  })

  test('loses and doubles nothing while leaders change under load', async () => {
    const settings = ['min.insync.replicas=2']
    await using topic = await KafkaTopic.make(kafka.brokers, {
      partitions: PARTITIONS,
      replicas: 3,
      settings,
    })
    await using run = new KafkaRun({ topic: topic.name, connection: { brokers: kafka.brokers } })
    const over = new AbortController()
    let sentCount = 0
    const sending = Promise.all(
      ALL.map(async (partition) => {
        for (let batch = 0; !over.signal.aborted; batch += 1) {
          const values = Array.from({ length: SEND_COUNT }, (_, i) => `${partition} ${batch} ${i}`)
          await produce(topic, partition, values)
          sentCount += values.length
          // Load enough for leaders to change in the midst of it.
          await sleep(20)
        }
      }),
    )
    for (const node of kafka.nodes.slice(0, 2)) {
      const led = await untilLeaders(topic, (leaders) => leaders.includes(node.id))
      await node.kill()
      await untilLeaders(topic, (leaders) => !leaders.includes(node.id) && !leaders.includes(-1))
      const moved = led.flatMap((leader, partition) =>
        leader === node.id ? [String(partition)] : [],
      )
      const seen = run.host.records.length
      await run.host.until(() => {
        const since = new Set(run.host.records.slice(seen).map(({ partition }) => partition))
        return moved.every((partition) => since.has(partition))
      })
      await node.restart()
    }
    over.abort()
    await sending
    const contents = await topic.contents()
    expect(new Set(contents).size).toBe(sentCount)
    await run.untilRecords(contents.length)
    expect(run.texts.toSorted()).toEqual(contents.toSorted())
  })

  test('is read though its first broker is silent', async () => {
    const { brokers } = kafka
    await using topic = await KafkaTopic.make(brokers, { partitions: PARTITIONS, replicas: 3 })
    const [, ...others] = brokers.split(',')
    await using producer = KafkaTopic.open(others.join(','), topic.name)
    await using run = new KafkaRun({ topic: topic.name, connection: { brokers } })
    for (const partition of ALL) await produce(producer, partition, ['before'])
    await run.untilRecords(PARTITIONS)
    const read = () =>
      new Set(run.host.records.map(({ partition, data }) => `${partition} ${data.toString()}`))
    const node = kafka.nodes[0] as KafkaNode
    node.freeze()
    try {
      await untilLeaders(producer, (leaders) => !leaders.includes(node.id))
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const partition of ALL) await produce(producer, partition, [`round ${round}`])
        await until(
          'the round to be read',
          SILENT_MS_MAX,
          async () =>
            await Promise.resolve(read().size >= PARTITIONS * (round + 1) ? true : undefined),
        )
        await sleep(1_000)
      }
    } finally {
      node.thaw()
    }
    expect(read().size).toBe(PARTITIONS * (ROUNDS + 1))
  })
})
