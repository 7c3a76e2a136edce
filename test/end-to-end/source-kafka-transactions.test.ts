import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { groupId } from '../../src/sources/kafka/kafka-source.ts'
import { KafkaRun } from '../fakes/kafka-run.ts'
import { KafkaTopic } from '../fakes/kafka-topic.ts'
import { installKafka, startKafka } from '../servers/kafka.ts'
import type { KafkaServer } from '../servers/kafka.ts'
import { until } from '../servers/until.ts'

const SERVER_MS_MAX = 120_000
const TEST_MS_MAX = 60_000

const installed = await installKafka()
if (!installed) console.warn('Skipped: no Kafka, see test/servers/kafka.ts')

describe.skipIf(!installed)('a topic with transactions is read', { timeout: TEST_MS_MAX }, () => {
  let kafka: KafkaServer

  beforeAll(async () => {
    kafka = await startKafka()
  }, SERVER_MS_MAX)
  afterAll(async () => {
    await kafka[Symbol.asyncDispose]()
  })

  const read = (topic: KafkaTopic, streamId: string) =>
    new KafkaRun({ topic: topic.name, connection: { brokers: kafka.brokers }, streamId })
  const untilCaughtUp = async (run: KafkaRun) =>
    await run.host.until(() => run.host.progressOf.get('0')?.lagCount === 0)

  test('without what was aborted, also by a producer that aborts again and again', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await using live = read(topic, 'live----')
    await topic.transact('abort', ['aborted 1'])
    await topic.transact('commit', ['committed 1', 'committed 2'])
    await topic.transact('abort', ['aborted 2'], async () => {
      await topic.produce(0, ['beside'])
    })
    await topic.transact('abort', ['aborted 3'])
    await topic.transact('commit', ['committed 3'])
    await topic.transact('abort', ['aborted 4'])
    const expected = ['committed 1', 'committed 2', 'beside', 'committed 3']
    await live.untilRecords(4)
    expect(live.texts).toEqual(expected)

    // All in one answer, and of another group: the one partition has one reader.
    await using later = read(topic, 'later---')
    await later.untilRecords(4)
    expect(later.texts).toEqual(expected)
    expect(later.errorCodes).toEqual([])
  })

  test('up to the ends of transactions, which are no records and leave no lag', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await using run = read(topic, 'ends----')
    await topic.transact('commit', ['a'])
    await topic.transact('abort', ['b', 'c'])
    await run.untilRecords(1)
    // Three records and two ends.
    await until('the group to be told the end of the log', 10_000, async () =>
      (await topic.committed(groupId(run.host.stream))).get(0) === 5n ? true : undefined,
    )
    await untilCaughtUp(run)
    expect(run.texts).toEqual(['a'])
    expect(run.host.gaps).toEqual([])
  })

  test('no further than to one that is open, which is shown as lag', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['before'])
    await using run = read(topic, 'open----')
    await run.untilRecords(1)
    await untilCaughtUp(run)
    await topic.transact('commit', ['within'], async () => {
      await topic.produce(0, ['behind'])
      await run.host.until(() => run.host.progressOf.get('0')?.lagCount === 2)
      // Longer than a fetch lasts, and than the lag is measured anew.
      await new Promise((resolve) => setTimeout(resolve, 6_000))
      expect(run.texts).toEqual(['before'])
      expect(run.host.progressOf.get('0')).toEqual({ lagCount: 2 })
    })
    await run.untilRecords(3)
    expect(run.texts).toEqual(['before', 'within', 'behind'])
    await untilCaughtUp(run)
  })
})
