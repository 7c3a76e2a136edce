import { randomUUID } from 'node:crypto'
import { Consumer } from '@platformatic/kafka'
import { KafkaTopic } from '../../test/fakes/kafka-topic.ts'
import { installKafka, startKafka } from '../../test/servers/kafka.ts'
import { logRecords } from '../workload.ts'
import { DISTINCT_RECORDS, ROLE } from './source-bench.ts'
import type { SourcePlan } from './source-bench.ts'

const CLUSTER_ARN = 'arn:aws:kafka:us-east-1:000000000000:cluster/bench/1-2'
const PARTITIONS = 4
const BATCH_RECORDS = 500
/** As often as Standpipe does. */
const COMMIT_MS = 1_000

/** Batches without compression, so that it is the reading that is measured. */
export const kafka: SourcePlan = {
  name: 'Kafka',
  recordCountMax: 1_000_000,
  needs: 'Java and Maven',
  async open() {
    if (!(await installKafka())) return undefined
    const server = await startKafka()
    return {
      place: server.brokers,
      async fill(name, recordCount) {
        await using topic = await KafkaTopic.make(server.brokers, { name, partitions: PARTITIONS })
        const records = logRecords(Math.min(recordCount, DISTINCT_RECORDS))
        for (let start = 0; start < recordCount; start += BATCH_RECORDS) {
          const from = start % records.length
          const count = Math.min(BATCH_RECORDS, recordCount - start)
          const partition = (start / BATCH_RECORDS) % PARTITIONS
          await topic.produce(partition, records.slice(from, from + count))
        }
      },
      environment: () => ({
        STANDPIPE_CONNECTIONS: JSON.stringify([{ url: CLUSTER_ARN, brokers: server.brokers }]),
      }),
      stream: (TopicName) => ({
        DeliveryStreamType: 'MSKAsSource',
        MSKSourceConfiguration: {
          MSKClusterARN: CLUSTER_ARN,
          TopicName,
          AuthenticationConfiguration: { RoleARN: ROLE, Connectivity: 'PRIVATE' },
          ReadFromTimestamp: 0,
        },
      }),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
  async readBare(brokers, name, recordCount) {
    const consumer = new Consumer({
      clientId: 'bench',
      bootstrapBrokers: brokers.split(','),
      groupId: randomUUID(),
    })
    const messages = await consumer.consume({
      topics: [name],
      mode: 'earliest',
      autocommit: COMMIT_MS,
    })
    const all = Promise.withResolvers<void>()
    let count = 0
    messages.on('data', () => {
      count += 1
      if (count === recordCount) all.resolve()
    })
    messages.on('error', all.reject)
    await all.promise
    await messages.close()
    await consumer.close()
  },
}
