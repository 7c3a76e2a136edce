/** Destinations that are not there: their sources wait at the limit of the backlog, the others go on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { startS3Server } from '../servers/s3-server.ts'
import { Nodes } from './cluster-nodes.ts'
import { expectExactlyOnce } from './cluster-run.ts'
import { feedInto, untilDelivered, sourceTroubles } from './cluster-sources.ts'
import { bucketStream, createAll } from './cluster-streams.ts'
import type { TestedStream } from './cluster-streams.ts'
import { eventually } from './harness.ts'
import { Ledger } from './ledger.ts'
import { S3Buckets } from './s3-buckets.ts'
import { feedEnvironment, startFeeds } from './source-feeds.ts'
import type { Feed } from './source-feeds.ts'
import { lineOf } from './traffic.ts'

const MIB = 1024 * 1024
const RECORD_BYTES = 10_000
/** 20 MB to each source: ten times what may wait. */
const RECORD_COUNT = 2_000
const SEND_COUNT = 50
/** Two batches, less than which no limit can be. */
const BACKLOG_BYTES = 2 * MIB
/** Each worker may take as much before it sees what the other took, and has a chunk of each partition. */
const PENDING_BYTES_MAX = 2 * BACKLOG_BYTES + 4 * MIB

/** A source looks at the backlog four times a second. */
const STILL_MS = 1_000

const s3Server = await startS3Server()
const hasRedis = (await findRedis()) !== undefined

test.runIf(available('Redis, or S3 server', hasRedis && s3Server !== undefined))(
  'sources wait for destinations that are not there, others go on, and nothing is lost or doubled',
  async () => {
    await using s3 = new S3Buckets(s3Server!)
    await using resources = new AsyncDisposableStack()
    const feeds = await startFeeds(resources)
    await using redis = (await startRedis({ appendonly: 'everysec' }))!
    // Two streams read each source.
    const streamsOf = (names: (feed: Feed) => string): readonly TestedStream[] =>
      feeds.map((feed) => {
        const name = names(feed)
        const stream = bucketStream(name, {}, () => s3.objects(name))
        return feedInto(feed, stream)
      })
    const flowing = streamsOf(({ name }) => name)
    const held = streamsOf(heldName)
    for (const { name } of flowing) await s3.create(name)
    await using nodes = await Nodes.start({
      redis: redis.url,
      roles: ['api', 'worker', 'worker'],
      environment: {
        ...s3.environment,
        ...feedEnvironment(feeds),
        STANDPIPE_SOURCE_BACKLOG_BYTES: String(BACKLOG_BYTES),
      },
    })
    await createAll(nodes.client, [...flowing, ...held])

    const ledgers = new Map<string, Ledger>()
    for (const feed of feeds) {
      const ledger = await send(feed)
      ledgers.set(feed.name, ledger).set(heldName(feed), ledger)
    }
    await untilDelivered(flowing, ledgers)
    for (const { name } of held) {
      const pendingBytes = await untilWaiting(nodes, name)
      expect(pendingBytes).toBeGreaterThan(BACKLOG_BYTES)
      expect(pendingBytes).toBeLessThan(PENDING_BYTES_MAX)
    }

    for (const { name } of held) await s3.create(name)
    const outcome = { ledgers, unbalanced: [] }
    await expectExactlyOnce(nodes, [...flowing, ...held], outcome, 'destinations that came later')
    expect(sourceTroubles(nodes)).toEqual([])
  },
)

function heldName({ name }: Feed): string {
  return `${name}held`
}

async function send(feed: Feed): Promise<Ledger> {
  const ledger = new Ledger()
  for (let from = 0; from < RECORD_COUNT; from += SEND_COUNT) {
    const ids = Array.from({ length: SEND_COUNT }, (_, index) => `${feed.name}-${from + index}`)
    await feed.send(ids.map((id) => lineOf(id, RECORD_BYTES)))
    for (const id of ids) ledger.acknowledge(id, id)
  }
  return ledger
}

/** Resolves with what is pending, when all workers say that they wait, and nothing more comes. */
async function untilWaiting(nodes: Nodes, name: string): Promise<number> {
  const waiting = `standpipe_source_state{state="paused",delivery_stream="${name}"} 1`
  const pending = async (): Promise<number> =>
    (await nodes.client.get(`/streams/${name}`)).body['PendingBytes'] as number
  return await eventually(`the source of ${name} waits`, 60_000, async () => {
    const before = await pending()
    await sleep(STILL_MS)
    const metrics = await Promise.all(
      nodes.workers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
    )
    const wait = metrics.every((text) => text.includes(waiting))
    return wait && (await pending()) === before ? before : undefined
  })
}
