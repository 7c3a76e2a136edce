/** A rolling restart of all roles behind a balancer, and AWS's SDK that doesn't notice. */
import { FirehoseClient, PutRecordBatchCommand, PutRecordCommand } from '@aws-sdk/client-firehose'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-code.ts'
import { available } from '../clients/available.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { Balancer } from './balancer.ts'
import { Nodes, watchBooks } from './cluster-nodes.ts'
import { expectExactlyOnce } from './cluster-run.ts'
import { createAll, fakeBucketStream } from './cluster-streams.ts'
import { Ledger } from './ledger.ts'
import { s3Environment } from './streams.ts'

const ROUND_COUNT = Number(process.env['STANDPIPE_TEST_ROUNDS'] ?? 1)
const SENDER_COUNT = 4

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'SIGTERM to one node after the other, of all roles: no call fails, nothing is lost or doubled',
  async () => {
    const seed = testSeed()
    await using redis = (await startRedis({ appendonly: 'everysec' }))!
    await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
    const streams = [fakeBucketStream(s3, 'plain'), fakeBucketStream(s3, 'spread', {}, 3)]
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api', 'worker', 'worker', 'serve'],
      environment: s3Environment(s3),
    })
    await createAll(nodes.client, streams)
    await using balancer = await Balancer.start(nodes.urls)

    const names = streams.map(({ name }) => name)
    const stop = new AbortController()
    const watching = watchBooks(nodes, names, stop.signal)
    const ledgers = new Map(names.map((name) => [name, new Ledger('may be none')]))
    const senders = Array.from({ length: SENDER_COUNT }, (_, index) => {
      const random = new SeededRandom(seed + 2 + index)
      return send(balancer.url, ledgers, { random, firstId: index * 1_000_000, stop: stop.signal })
    })
    await sleep(500)
    for (let round = 0; round < ROUND_COUNT; round += 1) {
      for (const node of nodes.all) {
        expect(await node.terminate(), node.log.slice(-2_000)).toBe(EXIT.ok)
        await node.start()
        await sleep(200)
      }
    }
    stop.abort()
    const failures = (await Promise.all(senders)).flat()
    expect(failures.slice(0, 5), `seed ${seed}`).toEqual([])
    const outcome = { ledgers, unbalanced: await watching }
    await expectExactlyOnce(nodes, streams, outcome, `rolling restart, seed ${seed}`)
  },
)

interface SendPlan {
  readonly random: SeededRandom
  readonly firstId: number
  readonly stop: AbortSignal
}

/** One SDK with its own retries, as it comes. Resolves with what failed all the same. */
async function send(
  endpoint: string,
  ledgers: ReadonlyMap<string, Ledger>,
  { random, firstId, stop }: SendPlan,
): Promise<string[]> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test-secret' }
  const client = new FirehoseClient({ endpoint, region: 'us-east-1', credentials })
  const failures: string[] = []
  for (let next = firstId; !stop.aborted; await sleep(random.integer(1, 20))) {
    const [name, ledger] = [...ledgers][random.integer(0, ledgers.size - 1)]!
    const ids = Array.from({ length: random.integer(1, 40) }, () => `${name}-${(next += 1)}`)
    try {
      await put(client, name, ids, ledger)
    } catch (error) {
      failures.push(String(error))
      ids.forEach((id) => ledger.leaveOpen(id))
    }
  }
  client.destroy()
  return failures
}

async function put(
  client: FirehoseClient,
  DeliveryStreamName: string,
  ids: readonly string[],
  ledger: Ledger,
): Promise<void> {
  const [first, ...others] = ids.map((id) => ({ Data: Buffer.from(`${id} xxx.\n`) }))
  if (first !== undefined && others.length === 0) {
    const { RecordId } = await client.send(
      new PutRecordCommand({ DeliveryStreamName, Record: first }),
    )
    ledger.acknowledge(ids[0] ?? '', RecordId ?? '')
    return
  }
  const Records = ids.map((id) => ({ Data: Buffer.from(`${id} xxx.\n`) }))
  const { FailedPutCount, RequestResponses = [] } = await client.send(
    new PutRecordBatchCommand({ DeliveryStreamName, Records }),
  )
  if (FailedPutCount !== 0) throw new Error(`Cannot put ${FailedPutCount} of ${ids.length} records`)
  for (const [index, id] of ids.entries()) {
    ledger.acknowledge(id, RequestResponses[index]?.RecordId ?? '')
  }
}
