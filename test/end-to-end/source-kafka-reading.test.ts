import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaRun } from '../fakes/kafka-run.ts'
import { KafkaTopic } from '../fakes/kafka-topic.ts'
import { FakeTakeover } from '../fakes/source-host.ts'
import { installKafka, startKafka } from '../servers/kafka.ts'
import type { KafkaServer } from '../servers/kafka.ts'
import { until } from '../servers/until.ts'
import { groupId } from '../../src/sources/kafka/kafka-source.ts'

const SERVER_MS_MAX = 120_000
const TEST_MS_MAX = 60_000

const installed = await installKafka()
if (!installed) console.warn('Skipped: no Kafka, see test/servers/kafka.ts')

describe.skipIf(!installed)('a Kafka topic is read', { timeout: TEST_MS_MAX }, () => {
  let kafka: KafkaServer

  beforeAll(async () => {
    kafka = await startKafka()
  }, SERVER_MS_MAX)
  afterAll(async () => {
    await kafka[Symbol.asyncDispose]()
  })

  const connection = () => ({ brokers: kafka.brokers })

  test('all of its partitions, each in order, under positions that say offset and topic', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers, { partitions: 2 })
    await topic.produce(0, ['a', 'b'])
    await topic.produce(1, ['c', 'd'])
    await using run = new KafkaRun({ topic: topic.name, connection: connection() })
    await run.untilRecords(4)
    await topic.produce(0, ['e'])
    await run.untilRecords(5)

    const of = (partition: string) =>
      run.host.records
        .filter((record) => record.partition === partition)
        .map(({ data, position }) => `${data.toString()} ${position.split('@')[0]}`)
    expect([of('0'), of('1')]).toEqual([
      ['a 0', 'b 1', 'e 2'],
      ['c 0', 'd 1'],
    ])
    expect(run.host.records[0]?.position).toMatch(/^\d+@[0-9a-f-]{36}$/)
    expect(run.errorCodes).toEqual([])
  })

  test('from its first record on at or after ReadFromTimestamp', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const start = 1_700_000_000_000n
    await topic.produce(0, ['before'], { timestamp: start - 1n })
    await topic.produce(0, ['at', 'also at'], { timestamp: start })
    await using run = new KafkaRun({
      topic: topic.name,
      connection: connection(),
      readFrom: Number(start) / 1000,
    })
    await run.untilRecords(2)
    expect(run.texts).toEqual(['at', 'also at'])
  })

  test('from what arrives, where nothing is as late as ReadFromTimestamp', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['old'], { timestamp: 1_000n })
    await using run = new KafkaRun({
      topic: topic.name,
      connection: connection(),
      readFrom: Math.floor(Date.now() / 1000) - 60,
    })
    // It has looked where to begin once its group knows.
    await until('a group with an offset', 10_000, async () =>
      (await topic.committed(groupId(run.host.stream))).get(0) === 1n ? true : undefined,
    )
    await topic.produce(0, ['new'])
    await run.untilRecords(1)
    expect(run.texts).toEqual(['new'])
  })

  test('with keys, headers, offsets and times for whoever asks', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['x'], {
      timestamp: 1_700_000_000_123n,
      key: Buffer.from('k'),
      headers: new Map([[Buffer.from('trace'), Buffer.from([255])]]),
    })
    await topic.produce(0, ['y'], { timestamp: 1_700_000_000_124n })
    await using run = new KafkaRun({
      topic: topic.name,
      connection: connection(),
      wantsMetadata: true,
    })
    await run.untilRecords(2)
    expect(run.host.records.map(({ metadata }) => metadata)).toEqual([
      {
        mskRecordMetadata: {
          offset: '0',
          partitionId: '0',
          approximateArrivalTimestamp: 1_700_000_000_123,
          key: 'aw==',
          headers: [{ key: 'trace', value: '/w==' }],
        },
      },
      {
        mskRecordMetadata: {
          offset: '1',
          partitionId: '0',
          approximateArrivalTimestamp: 1_700_000_000_124,
          headers: [],
        },
      },
    ])
  })

  test('with the time of the broker where the topic says so', async () => {
    const settings = ['message.timestamp.type=LogAppendTime']
    await using topic = await KafkaTopic.make(kafka.brokers, { settings })
    const beganAtMs = Date.now()
    await topic.produce(0, ['x'], { timestamp: 1_000n })
    await using run = new KafkaRun({
      topic: topic.name,
      connection: connection(),
      wantsMetadata: true,
    })
    await run.untilRecords(1)
    const metadata = run.host.records[0]?.metadata?.['mskRecordMetadata']
    const arrivedAtMs = (metadata as { approximateArrivalTimestamp: number })
      .approximateArrivalTimestamp
    expect(arrivedAtMs).toBeGreaterThanOrEqual(beganAtMs)
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('compressed by %s', async (compression) => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const values = Array.from({ length: 500 }, (_, index) => `record ${index} `.repeat(20))
    await topic.produce(0, values, { compression })
    await using run = new KafkaRun({ topic: topic.name, connection: connection() })
    await run.untilRecords(values.length)
    expect(run.texts).toEqual(values)
  })

  test('a tombstone as an empty record, and records of ten megabytes', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const large = Buffer.alloc(10_000_000, 'x')
    await topic.produce(0, [undefined], { key: Buffer.from('gone') })
    await topic.produce(0, [large])
    await topic.produce(0, [large])
    await using run = new KafkaRun({ topic: topic.name, connection: connection() })
    await run.untilRecords(3)
    expect(run.host.records.map(({ data }) => data.byteLength)).toEqual([0, 10_000_000, 10_000_000])
  })

  test('by several nodes, which share its partitions, and go on for one that leaves', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers, { partitions: 4 })
    const takeover = new FakeTakeover()
    const options = { topic: topic.name, connection: connection(), takeover }
    await using first = new KafkaRun(options)
    const readBy = new Map<string, Set<string>>([
      ['first', new Set()],
      ['second', new Set()],
    ])
    first.host.beforeAppend = (partition) => void readBy.get('first')?.add(partition)
    const values = (from: string) => Array.from({ length: 50 }, (_, index) => `${from}-${index}`)
    for (const partition of [0, 1, 2, 3]) await topic.produce(partition, values(`one-${partition}`))
    await first.untilRecords(200)
    expect(readBy.get('first')).toEqual(new Set(['0', '1', '2', '3']))

    {
      await using second = new KafkaRun({
        ...options,
        prepare: (host) => {
          host.beforeAppend = (partition) => void readBy.get('second')?.add(partition)
        },
      })
      let round = 0
      await until('both to read', 40_000, async () => {
        round += 1
        readBy.get('first')?.clear()
        readBy.get('second')?.clear()
        for (const partition of [0, 1, 2, 3]) await topic.produce(partition, [`r${round}`])
        await first.host.until(() => takeover.records.length >= 200 + round * 4)
        return readBy.get('first')?.size === 2 && readBy.get('second')?.size === 2
          ? true
          : undefined
      })
      expect(second.errorCodes).toEqual([])
    }
    const taken = takeover.records.length
    for (const partition of [0, 1, 2, 3]) await topic.produce(partition, ['last'])
    await first.host.until(() => takeover.records.length >= taken + 4)
    const positions = takeover.records.map(({ partition, position }) => `${partition} ${position}`)
    expect(new Set(positions).size).toBe(positions.length)
  })

  test('once by a node and its zombie, which reads on though it lost the partition', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const takeover = new FakeTakeover()
    // Another group: neither knows of the other, as after a session that has expired.
    const options = { topic: topic.name, connection: connection(), takeover }
    await using one = new KafkaRun({ ...options, streamId: 'one-----' })
    await using zombie = new KafkaRun({ ...options, streamId: 'zombie--' })
    const values = Array.from({ length: 2_000 }, (_, index) => `v${index}`)
    for (let index = 0; index < values.length; index += 50) {
      await topic.produce(0, values.slice(index, index + 50))
    }
    await Promise.race([one.untilRecords(2_000), zombie.untilRecords(2_000)])
    expect(takeover.records.map(({ data }) => data.toString())).toEqual(values)
  })

  test('on from where it stopped, and the group is told how far', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const takeover = new FakeTakeover()
    const options = { topic: topic.name, connection: connection(), takeover }
    await topic.produce(0, ['a', 'b'])
    let group = ''
    {
      await using run = new KafkaRun(options)
      await run.untilRecords(2)
      group = groupId(run.host.stream)
    }
    expect(await topic.committed(group)).toEqual(new Map([[0, 2n]]))
    await topic.produce(0, ['c'])
    await using run = new KafkaRun(options)
    await run.untilRecords(3)
    expect(run.texts).toEqual(['a', 'b', 'c'])
  })

  test('no further while its stream has no room, and by a member that stays', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['a'])
    const room = Promise.withResolvers<void>()
    await using run = new KafkaRun({
      topic: topic.name,
      connection: connection(),
      prepare: (host) => {
        host.admission = room.promise
      },
    })
    // Longer than a session lasts: who is silent would be out of the group by then.
    await new Promise((resolve) => setTimeout(resolve, 13_000))
    expect(run.texts).toEqual([])
    expect(run.host.progressOf.get('0')).toEqual({ lagCount: 1 })
    room.resolve()
    await run.untilRecords(1)
    expect(run.errorCodes).toEqual([])
  })

  test('partitions that it gets later', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['a'])
    await using run = new KafkaRun({ topic: topic.name, connection: connection() })
    await run.untilRecords(1)
    await topic.addPartitions(2)
    await until('the new partition to be there', 10_000, async () => {
      await topic.produce(1, ['b'])
      return true
    })
    await run.untilRecords(2)
    expect(run.texts).toEqual(['a', 'b'])
  })

  test('how far it is behind', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    await topic.produce(0, ['a', 'b'])
    await using run = new KafkaRun({ topic: topic.name, connection: connection() })
    await run.host.until(() => run.host.progressOf.get('0')?.lagCount === 0)
    expect(run.texts).toEqual(['a', 'b'])
  })

  test('on from what is kept, where records went before they were read', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const takeover = new FakeTakeover()
    const options = { topic: topic.name, connection: connection(), takeover }
    await topic.produce(0, ['a'])
    {
      await using run = new KafkaRun(options)
      await run.untilRecords(1)
    }
    await topic.produce(0, ['lost', 'lost', 'kept'])
    await topic.deleteBefore(0, 3n)
    await using run = new KafkaRun(options)
    await run.untilRecords(2)
    expect(run.texts).toEqual(['a', 'kept'])
    expect(run.host.gaps).toEqual([
      { partition: '0', lostCount: 2, message: 'Offsets 1 to 2 are not kept any more' },
    ])
  })

  test('from its first record, where it was deleted and made anew, however far it is by then', async () => {
    await using topic = await KafkaTopic.make(kafka.brokers)
    const takeover = new FakeTakeover()
    const options = { topic: topic.name, connection: connection(), takeover }
    await topic.produce(0, ['a'])
    {
      await using run = new KafkaRun(options)
      await run.untilRecords(1)
    }
    await topic.delete()
    await until('the topic to be there again', 10_000, async () => {
      await topic.create(1)
      return true
    })
    await using again = KafkaTopic.open(kafka.brokers, topic.name)
    await again.produce(0, ['b', 'c', 'd'])
    await using run = new KafkaRun(options)
    await run.untilRecords(4)
    expect(run.texts).toEqual(['a', 'b', 'c', 'd'])
    expect(run.host.gaps).toMatchObject([{ partition: '0', lostCount: undefined }])
  })

  test('as soon as there is one; until then it is shown that there is none', async () => {
    const name = `late-${Date.now()}`
    await using run = new KafkaRun({ topic: name, connection: connection() })
    await run.host.until(() => run.errorCodes.includes('Kafka.TopicNotFound'))
    await using topic = await KafkaTopic.make(kafka.brokers, { name })
    await topic.produce(0, ['a'])
    await run.untilRecords(1)
    expect(new Set(run.errorCodes)).toEqual(new Set(['Kafka.TopicNotFound']))
  })

  test('not where no connection is configured, which is shown', async () => {
    await using run = new KafkaRun({ topic: 'any', connection: undefined })
    await run.host.until(() => run.failures.length > 1)
    expect(run.failures[0]).toMatchObject({
      errorCode: 'Kafka.ConnectionNotConfigured',
      message: expect.stringContaining('no entry of the setting connections') as string,
    })
  })

  test('not from a broker that is away, which is shown', async () => {
    await using run = new KafkaRun({ topic: 'any', connection: { brokers: '127.0.0.1:1' } })
    await run.host.until(() => run.errorCodes.length > 0)
    expect(run.errorCodes[0]).toBe('Kafka.ConnectionFailed')
  })
})
