/** Against a Kinesis server; what that server can't do is in kinesis-faults.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kinesisDelivery, readKinesis } from '../../../test/fakes/kinesis-reading.ts'
import { FakeSourceHost, FakeTakeover } from '../../../test/fakes/source-host.ts'
import { kinesisArn, KinesisStream, startKinesis } from '../../../test/servers/kinesis.ts'
import type { KinesisServer } from '../../../test/servers/kinesis.ts'

let server: KinesisServer | undefined
beforeAll(async () => {
  server = await startKinesis()
}, 120_000)
afterAll(async () => await server?.[Symbol.asyncDispose]())

/** `key:number`, so that order within a key can be seen. */
function records(from: number, count: number, keyCount = 20): string[] {
  return Array.from({ length: count }, (_, index) => {
    const number = String(from + index).padStart(7, '0')
    return `key${(from + index) % keyCount}:${number}`
  })
}

function texts(takeover: FakeTakeover): string[] {
  return takeover.records.map(({ data }) => data.toString())
}

const CLEAN = { lost: [], doubled: [] }

function faults(put: readonly string[], taken: readonly string[]): typeof CLEAN | object {
  const seen = new Set<string>()
  const doubled = taken.filter((text) => seen.size === seen.add(text).size)
  return { lost: put.filter((text) => !seen.has(text)), doubled }
}

/** What was taken over after something of the same key that was put later. */
function disordered(taken: readonly string[]): string[] {
  const last = new Map<string, string>()
  return taken.filter((text) => {
    const key = text.split(':')[0] ?? ''
    const before = last.get(key) ?? ''
    last.set(key, text)
    return text <= before
  })
}

async function stream(name: string, shardCount: number): Promise<KinesisStream> {
  if (server === undefined) throw new Error('Cannot test: there is no Kinesis server')
  return await KinesisStream.create(server.client, name, shardCount)
}

function endpoint(): string {
  return server?.endpoint ?? ''
}

test('splits and merges under load: each record once, and those of a key in their order', async () => {
  const clicks = await stream('resharded', 2)
  const put: string[] = []
  const more = async (count: number): Promise<void> => {
    const next = records(put.length, count)
    put.push(...next)
    await clicks.put(next)
  }
  await more(500)
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(kinesisArn('resharded')), takeover)
  await using _reading = readKinesis(endpoint(), host)
  for (const act of ['split', 'split', 'merge', 'split', 'merge', 'merge']) {
    const [one, other] = await clicks.openShards()
    const resharding = act === 'split' ? clicks.split(one!) : clicks.merge(one!, other!)
    await Promise.all([resharding, more(1_000)])
  }
  await more(500)
  await host.until(() => takeover.records.length >= put.length)
  expect(faults(put, texts(takeover))).toEqual(CLEAN)
  expect(disordered(texts(takeover))).toEqual([])
  expect(host.failures).toEqual([])
  expect(host.gaps).toEqual([])
})

test('a source that is stopped and run again goes on where it was', async () => {
  const clicks = await stream('restarted', 2)
  const put = records(0, 3_000)
  await clicks.put(put.slice(0, 1_000))
  const takeover = new FakeTakeover()
  const first = new FakeSourceHost(kinesisDelivery(kinesisArn('restarted')), takeover)
  const reading = readKinesis(endpoint(), first)
  await first.until(() => takeover.records.length >= 1)
  await reading.stop()
  // What was done of the closed shard is not remembered, and found out again.
  await clicks.split((await clicks.openShards())[0]!)
  await clicks.put(put.slice(1_000))
  const second = new FakeSourceHost(kinesisDelivery(kinesisArn('restarted')), takeover)
  await using _reading = readKinesis(endpoint(), second)
  await second.until(() => takeover.records.length >= put.length)
  expect(faults(put, texts(takeover))).toEqual(CLEAN)
  expect(disordered(texts(takeover))).toEqual([])
  expect(second.gaps).toEqual([])
})

test('two nodes share the shards by their leases, and one takes over what the other leaves', async () => {
  const clicks = await stream('shared', 4)
  const put = records(0, 4_000)
  await clicks.put(put.slice(0, 1_000))
  const takeover = new FakeTakeover()
  const delivery = kinesisDelivery(kinesisArn('shared'))
  const hosts = [new FakeSourceHost(delivery, takeover), new FakeSourceHost(delivery, takeover)]
  const [one, two] = hosts.map((host) => readKinesis(endpoint(), host))
  await hosts[0]!.until(() => hosts[0]!.progressOf.size === 2)
  await hosts[1]!.until(() => hosts[1]!.progressOf.size === 2)
  expect(hosts.flatMap(({ progressOf }) => [...progressOf.keys()]).toSorted()).toEqual(
    [0, 1, 2, 3].map((number) => `shardId-00000000000${number}`),
  )
  await clicks.put(put.slice(1_000, 2_000))
  await one!.stop()
  expect(hosts[0]!.progressOf.size).toBe(0)
  await clicks.split((await clicks.openShards())[0]!)
  await clicks.put(put.slice(2_000))
  await hosts[1]!.until(() => takeover.records.length >= put.length)
  expect(faults(put, texts(takeover))).toEqual(CLEAN)
  await two!.stop()
  expect(takeover.leases.size).toBe(0)
})

test('two readers of one shard that know nothing of each other take each record once', async () => {
  const clicks = await stream('contended', 1)
  const put = records(0, 5_000)
  await clicks.put(put.slice(0, 500))
  const takeover = new FakeTakeover()
  const delivery = kinesisDelivery(kinesisArn('contended'))
  const hosts = [new FakeSourceHost(delivery, takeover), new FakeSourceHost(delivery, takeover)]
  for (const host of hosts) host.renewLeases = (partitions) => Promise.resolve(partitions)
  const readings = hosts.map((host) => readKinesis(endpoint(), host))
  for (let from = 500; from < put.length; from += 500) await clicks.put(put.slice(from, from + 500))
  const [one, two] = hosts.map((host) => host.until(() => takeover.records.length >= put.length))
  await Promise.race([one, two])
  await Promise.all(readings.map((reading) => reading.stop()))
  expect(texts(takeover)).toEqual(put)
  expect(hosts.flatMap(({ failures }) => failures)).toEqual([])
})

test('records from before the starting instant are not read', async () => {
  const clicks = await stream('later', 1)
  await clicks.put(records(0, 100))
  const { Records = [] } = await firstRecords('later')
  const lastMs = Records.at(-1)?.ApproximateArrivalTimestamp?.getTime() ?? 0
  const StartingTimestamp = (lastMs + 1) / 1_000
  await expect.poll(() => Date.now()).toBeGreaterThan(lastMs + 1)
  await clicks.put(records(100, 100))
  const takeover = new FakeTakeover()
  const special = { StartingPosition: 'AT_TIMESTAMP', StartingTimestamp }
  const host = new FakeSourceHost(kinesisDelivery(kinesisArn('later'), special), takeover)
  await using _reading = readKinesis(endpoint(), host)
  await host.until(() => takeover.records.length >= 100)
  expect(texts(takeover)).toEqual(records(100, 100))
})

async function firstRecords(StreamName: string) {
  const { ShardIterator } = await server!.client.getShardIterator({
    StreamName,
    ShardId: 'shardId-000000000000',
    ShardIteratorType: 'TRIM_HORIZON',
  })
  return await server!.client.getRecords({ ShardIterator })
}

test('nothing is read while the stream may have no more', async () => {
  const clicks = await stream('paused', 1)
  await clicks.put(records(0, 10))
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(kinesisArn('paused')), takeover)
  const admission = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  host.admit = () => {
    asked.resolve()
    return admission.promise
  }
  await using _reading = readKinesis(endpoint(), host)
  await asked.promise
  expect(host.progressOf.size).toBe(0)
  admission.resolve()
  await host.until(() => takeover.records.length === 10)
})

test('a stream that is not there is what AWS calls it', async () => {
  const host = new FakeSourceHost(kinesisDelivery(kinesisArn('missing')))
  const reading = readKinesis(endpoint(), host)
  await expect(reading.run).rejects.toMatchObject({ errorCode: 'Kinesis.ResourceNotFound' })
})

test('a stream that is deleted while it is read is shown, and the source goes on trying', async () => {
  const clicks = await stream('deleted', 1)
  await clicks.put(records(0, 1))
  const takeover = new FakeTakeover()
  const host = new FakeSourceHost(kinesisDelivery(kinesisArn('deleted')), takeover)
  await using _reading = readKinesis(endpoint(), host)
  await host.until(() => takeover.records.length === 1)
  await server!.client.deleteStream({ StreamName: clicks.name })
  await host.until(() => host.failures.length >= 3)
  const codes = new Set(host.failures.map(({ error }) => error.errorCode))
  expect([...codes]).toEqual(['Kinesis.ResourceNotFound'])
})
