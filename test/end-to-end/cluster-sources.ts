/** The body of the cluster tests of sources: producers write while a test does its worst to the nodes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { readBooks } from './books.ts'
import { Nodes, watchBooks } from './cluster-nodes.ts'
import type { LoadOutcome } from './cluster-run.ts'
import { createAll, fakeBucketStream, judgeIds } from './cluster-streams.ts'
import type { TestedStream } from './cluster-streams.ts'
import { eventually } from './harness.ts'
import type { Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { Ledger } from './ledger.ts'
import { feedEnvironment, startFeeds } from './source-feeds.ts'
import type { Feed } from './source-feeds.ts'
import { s3Environment } from './streams.ts'
import { lineOf } from './traffic.ts'

export type Ledgers = ReadonlyMap<string, Ledger>

/** Until all is read that was sent; for a machine that is busy with other things. */
const READ_MS_MAX = 90_000
/** A Kafka group waits for 6 s for members that are dead, and another 15 for those that are slow. */
const SPREAD_MS_MAX = 60_000

/** What is sent to the feed goes into the stream, whose ledger has it. */
export function feedInto(feed: Feed, stream: TestedStream): TestedStream {
  const { name } = stream
  // Lanes are for streams that are put into.
  const { Tags: _lanes, ...destination } = stream.input
  return {
    ...stream,
    input: { ...destination, ...feed.input },
    async judge(client, ledger) {
      const { size } = ledger.acknowledged
      const deadlineMs = performance.now() + READ_MS_MAX
      // What is not taken by then is lost: the verdict tells which.
      while (performance.now() < deadlineMs) {
        if ((await readBooks(client, name)).accepted >= size) break
        await sleep(100)
      }
      const verdict = await judgeIds(client, name, ledger, () => stream.delivered())
      const { accepted } = await readBooks(client, name)
      const surplus = accepted === size ? [] : [`${accepted} were taken over, ${size} were sent`]
      return { ...verdict, bookProblems: [...verdict.bookProblems, ...surplus] }
    },
  }
}

/** Each into a bucket of the fake, by the name of the feed. */
export function feedStreams(feeds: readonly Feed[], s3: FaultyS3): readonly TestedStream[] {
  return feeds.map((feed) => feedInto(feed, fakeBucketStream(s3, feed.name)))
}

export interface Reading {
  readonly feeds: readonly Feed[]
  readonly redis: RedisServer
  readonly streams: readonly TestedStream[]
  readonly nodes: Nodes
}

/** Three workers on a Redis of their own, which read one stream from each feed. */
export async function startReading(
  resources: AsyncDisposableStack,
  seed: number,
  fsync: 'everysec' | 'always' = 'everysec',
): Promise<Reading> {
  const feeds = await startFeeds(resources)
  const redis = resources.use((await startRedis({ appendonly: fsync }))!)
  const s3 = resources.use(await FaultyS3.start(new SeededRandom(seed + 1)))
  const streams = feedStreams(feeds, s3)
  const nodes = resources.use(
    await Nodes.start({
      redis: redis.url,
      roles: ['api', 'worker', 'worker', 'worker'],
      environment: {
        ...s3Environment(s3),
        ...feedEnvironment(feeds),
        STANDPIPE_REDIS_FSYNC: fsync,
      },
    }),
  )
  await createAll(nodes.client, streams)
  return { feeds, redis, streams, nodes }
}

/** Sends to all feeds for as long as `meanwhile` takes, which is told what was sent. */
export async function underProduction(
  nodes: Nodes,
  feeds: readonly Feed[],
  random: SeededRandom,
  meanwhile: (ledgers: Ledgers) => Promise<void>,
): Promise<LoadOutcome> {
  const stop = new AbortController()
  const names = feeds.map(({ name }) => name)
  const watching = watchBooks(nodes, names, stop.signal)
  try {
    const ledgers = await whileProducing(feeds, random, meanwhile)
    stop.abort()
    return { ledgers, unbalanced: await watching }
  } finally {
    stop.abort()
  }
}

/** Resolves with what was sent, by feed. */
export async function whileProducing(
  feeds: readonly Feed[],
  random: SeededRandom,
  meanwhile: (ledgers: Ledgers) => Promise<void>,
): Promise<Ledgers> {
  const ledgers = new Map(feeds.map(({ name }) => [name, new Ledger()]))
  const stop = new AbortController()
  const producing = Promise.all(
    feeds.map((feed) => produce(feed, ledgers.get(feed.name)!, random, stop.signal)),
  )
  try {
    // Whichever fails first is told.
    await Promise.race([meanwhile(ledgers), producing])
  } finally {
    stop.abort()
  }
  await producing
  return ledgers
}

async function produce(
  feed: Feed,
  ledger: Ledger,
  random: SeededRandom,
  signal: AbortSignal,
): Promise<void> {
  for (let lastId = 0; !signal.aborted;) {
    const ids = Array.from({ length: random.integer(1, 80) }, () => `${feed.name}-${(lastId += 1)}`)
    await feed.send(ids.map((id) => lineOf(id, random.integer(0, 200))))
    for (const id of ids) ledger.acknowledge(id, id)
    await sleep(random.integer(20, 80))
  }
}

/** Resolves when each stream has taken over so many more records. */
export async function reads(
  client: HttpClient,
  feeds: readonly Feed[],
  recordCount: number,
): Promise<void> {
  // A node that is gone, or a Redis, tells nothing.
  const taken = async (name: string): Promise<number | undefined> =>
    (await readBooks(client, name).catch(() => undefined))?.accepted
  await Promise.all(
    feeds.map(async ({ name }) => {
      const before = await eventually(`${name} tells its books`, READ_MS_MAX, () => taken(name))
      await eventually(`${recordCount} more of ${name} are read`, READ_MS_MAX, async () =>
        ((await taken(name)) ?? 0) >= before + recordCount ? true : undefined,
      )
    }),
  )
}

/** Resolves when all that was sent until now is delivered. */
export async function untilDelivered(
  streams: readonly TestedStream[],
  ledgers: Ledgers,
): Promise<void> {
  for (const stream of streams) {
    const missing = new Set(ledgers.get(stream.name)?.acknowledged.keys())
    await eventually(`what was sent to ${stream.name} is delivered`, READ_MS_MAX, async () => {
      await sleep(500)
      for (const id of await stream.delivered()) missing.delete(id)
      return missing.size === 0 ? true : undefined
    })
  }
}

/** Resolves when each worker reads some partitions of each stream, and none reads another's. */
export async function untilSpread(
  workers: readonly Service[],
  feeds: readonly Feed[],
): Promise<void> {
  for (const { name } of feeds) {
    let seen: readonly (readonly string[])[] = []
    await eventually(`${name} is spread over the workers`, SPREAD_MS_MAX, async () => {
      seen = await Promise.all(workers.map((worker) => partitionsRead(worker, name)))
      const all = seen.flat()
      const isSpread = seen.every(({ length }) => length > 0) && new Set(all).size === all.length
      return isSpread ? true : undefined
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(seen)}`, { cause: error })
    })
  }
}

/** By what its metrics tell of partitions. */
async function partitionsRead(worker: Service, name: string): Promise<readonly string[]> {
  const text = await (await fetch(`${worker.url}/metrics`)).text()
  const sample = /^standpipe_source_partition_\w+\{partition="(.*?)",delivery_stream="(.*?)"\}/gm
  const found = [...text.matchAll(sample)].filter(([, , stream]) => stream === name)
  return [...new Set(found.map(([, partition = '']) => partition))]
}

/** What the nodes' logs say to be gone, and what they did not foresee. */
export function sourceTroubles(nodes: Nodes): readonly string[] {
  return nodes.logLines(/went before they could be read|InternalFailure/).slice(0, 5)
}
