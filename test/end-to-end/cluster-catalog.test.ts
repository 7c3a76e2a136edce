/** Every API node describes the same, and what is changed on one is seen on all within a second. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { readBooks } from './books.ts'
import { Nodes } from './cluster-nodes.ts'
import { createAll, fakeBucketStream } from './cluster-streams.ts'
import type { HttpAnswer, HttpClient } from './http-client.ts'
import { describe as description, s3Environment } from './streams.ts'

const SEEN_MS_MAX = 1_000

test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'changes on one node are seen on all others within a second, and all describe the same',
  async () => {
    await using redis = (await startRedis({ appendonly: 'everysec' }))!
    await using s3 = await FaultyS3.start(new SeededRandom(1))
    const stream = fakeBucketStream(s3, 'plain')
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api', 'serve', 'worker'],
      environment: s3Environment(s3),
    })
    const [first, second, third] = nodes.clients as [HttpClient, HttpClient, HttpClient]
    const clients = [first, second, third]
    const DeliveryStreamName = 'plain'

    const created = performance.now()
    await createAll(first, [stream])
    await seenByAll(clients, created + SEEN_MS_MAX, async (client) => {
      const { DeliveryStreamStatus } = await description(client, 'plain')
      return DeliveryStreamStatus === 'ACTIVE'
    })
    await expectSame(clients)

    // An update on the second; the version of before is refused by the third.
    const { VersionId } = await description(third, 'plain')
    const update = {
      DeliveryStreamName,
      CurrentDeliveryStreamVersionId: VersionId,
      DestinationId: 'destinationId-000000000001',
      ExtendedS3DestinationUpdate: { Prefix: 'second/' },
    }
    await second.expect('UpdateDestination', update)
    await seenByAll(clients, performance.now() + SEEN_MS_MAX, async (client) =>
      JSON.stringify(await description(client, 'plain')).includes('second/'),
    )
    await expectSame(clients)
    expect((await third.call('UpdateDestination', update)).body).toMatchObject({
      __type: 'ConcurrentModificationException',
    })

    // A pause on the third holds for the worker; what the first is sent waits.
    expect((await third.send('POST', '/streams/plain/pause')).status).toBe(200)
    await seenByAll(clients, performance.now() + SEEN_MS_MAX, async (client) =>
      JSON.stringify((await client.get('/streams/plain')).body).includes('paused'),
    )
    const Record = { Data: stream.recordOf('plain-1', 10).toString('base64') }
    await first.expect('PutRecord', { DeliveryStreamName, Record })
    await sleep(2_500)
    expect(await readBooks(second, 'plain')).toMatchObject({ accepted: 1, pending: 1 })
    expect((await second.send('POST', '/streams/plain/resume')).status).toBe(200)
    await seenByAll(clients, performance.now() + 10_000, async (client) => {
      const books = await readBooks(client, 'plain')
      return books.delivered === 1
    })
    await expectSame(clients)

    await second.expect('DeleteDeliveryStream', { DeliveryStreamName })
    await seenByAll(clients, performance.now() + SEEN_MS_MAX, async (client) => {
      const { status } = await client.call('DescribeDeliveryStream', { DeliveryStreamName })
      return status === 400
    })
    await seenByAll(clients, performance.now() + SEEN_MS_MAX, async (client) => {
      const { status } = await client.call('PutRecord', { DeliveryStreamName, Record })
      return status === 400
    })
    // The name is free again, on a node that did not delete it.
    await createAll(third, [stream])
    await seenByAll(clients, performance.now() + SEEN_MS_MAX, async (client) => {
      const { DeliveryStreamStatus } = await description(client, 'plain')
      return DeliveryStreamStatus === 'ACTIVE'
    })
    await expectSame(clients)
  },
)

/** Two nodes are asked for the same name at once: one makes the stream, the other refuses. */
test.runIf(available('Redis', (await findRedis()) !== undefined))(
  'of two nodes that create or update the same at once, one wins',
  async () => {
    await using redis = (await startRedis({ appendonly: 'everysec' }))!
    await using s3 = await FaultyS3.start(new SeededRandom(1))
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'api'],
      environment: s3Environment(s3),
    })
    for (let round = 0; round < 5; round += 1) {
      const { name, input } = fakeBucketStream(s3, `race${'abcde'[round]}`)
      const answers = await Promise.all(
        nodes.clients.map((client) =>
          client.call('CreateDeliveryStream', { DeliveryStreamName: name, ...input }),
        ),
      )
      expect(statusesOf(answers)).toEqual([200, 400])
      await seenByAll(nodes.clients, performance.now() + SEEN_MS_MAX, async (client) => {
        const { DeliveryStreamStatus } = await description(client, name)
        return DeliveryStreamStatus === 'ACTIVE'
      })
      await expectSame(nodes.clients, name)
      const { VersionId } = await description(nodes.client, name)
      const updates = await Promise.all(
        nodes.clients.map((client, index) =>
          client.call('UpdateDestination', {
            DeliveryStreamName: name,
            CurrentDeliveryStreamVersionId: VersionId,
            DestinationId: 'destinationId-000000000001',
            ExtendedS3DestinationUpdate: { Prefix: `node-${index}/` },
          }),
        ),
      )
      expect(statusesOf(updates)).toEqual([200, 400])
    }
  },
)

function statusesOf(answers: readonly HttpAnswer[]): number[] {
  return answers.map(({ status }) => status).toSorted((left, right) => left - right)
}

async function seenByAll(
  clients: readonly HttpClient[],
  deadlineMs: number,
  look: (client: HttpClient) => Promise<boolean>,
): Promise<void> {
  for (const [index, client] of clients.entries()) {
    // A node that hasn't heard of a stream refuses to describe it.
    while (!(await look(client).catch(() => false))) {
      if (performance.now() > deadlineMs) throw new Error(`Node ${index} has not seen it in time`)
      await sleep(10)
    }
  }
}

async function expectSame(clients: readonly HttpClient[], name = 'plain'): Promise<void> {
  const [expected, ...others] = await Promise.all(
    clients.map(async (client) => [await description(client, name), await statusOf(client, name)]),
  )
  for (const other of others) expect(other).toEqual(expected)
}

async function statusOf(client: HttpClient, name: string): Promise<JsonObject> {
  return (await client.get(`/streams/${name}`)).body
}
