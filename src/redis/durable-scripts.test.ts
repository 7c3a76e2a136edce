import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { available } from '../../test/clients/available.ts'
import { startRedisCluster } from '../../test/servers/redis-cluster.ts'
import type { RedisCluster } from '../../test/servers/redis-cluster.ts'
import { startReplica } from '../../test/servers/redis-replication.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import type { RedisServer } from '../../test/servers/redis.ts'
import { parseBackend } from '../backend.ts'
import type { RedisPlace } from '../backend.ts'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { connect } from './connection.ts'
import { DurableScripts } from './durable-scripts.ts'
import type { Acknowledge } from './durable-scripts.ts'
import { isPassing } from './insist.ts'
import { Keys } from './keys.ts'
import type { RedisClient } from './scripts.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)
const LANE = new Keys('durable').lane('stream')
const [BATCH, ENTRY, MANIFEST] = (['batch', 'entry', 'manifest'] as const).map((what) =>
  LANE.ofBatch(what, 'b'),
) as [string, string, string]
const NO_WAIT: Acknowledge = { fsync: 'none', replicas: 0, waitAof: false, timeoutMs: 300 }

function open(server: { readonly url: string }, facts: Partial<Acknowledge>) {
  const clients: RedisClient[] = []
  const place = placeOf(server.url)
  const durable = new DurableScripts({
    connect: () => {
      const client = connect({ place, name: 'test', logger: silentLogger })
      clients.push(client)
      return client
    },
    acknowledge: { ...NO_WAIT, ...facts },
    clock: systemClock,
  })
  const client = connect({ place, name: 'test', logger: silentLogger })
  return {
    client,
    clients,
    /** Makes a batch, without which nothing can be frozen. */
    begin: () => client.hset(BATCH, 'facts', '{}'),
    freeze: (text: string) => durable.run('freeze', [BATCH, ENTRY, MANIFEST], ['', text]),
    thaw: () => durable.run('thaw', [ENTRY, MANIFEST], ['']),
    [Symbol.dispose]: () => {
      client.disconnect()
      durable.close()
    },
  }
}

function placeOf(url: string): RedisPlace {
  const backend = parseBackend(url)
  if (backend.kind !== 'redis') throw new Error('Cannot test on the embedded backend')
  return backend.place
}

/** Stands still, as a replica does whose host hangs, until it is let go. */
function paused({ pid }: RedisServer): Disposable {
  process.kill(pid as number, 'SIGSTOP')
  return { [Symbol.dispose]: () => void process.kill(pid as number, 'SIGCONT') }
}

test.runIf(isHere)('nothing is waited for where nothing asks for it', async () => {
  await using server = (await startRedis({ appendonly: 'no' })) as RedisServer
  using opened = open(server, {})
  await opened.begin()
  expect(await opened.freeze('one')).toBe(1)
  expect(opened.clients).toHaveLength(1)
  expect(await opened.client.info('commandstats')).not.toContain('cmdstat_wait')
})

for (const program of ['redis', 'valkey'] as const) {
  const isProgramHere = available(program, (await findRedis(program)) !== undefined)

  describe.runIf(isProgramHere)(`${program} with a replica`, () => {
    const servers = new AsyncDisposableStack()
    let master: RedisServer
    let replica: RedisServer

    beforeAll(async () => {
      master = servers.use((await startRedis({ program })) as RedisServer)
      replica = servers.use(await startReplica(master, { program }))
      await master.call('SET', 'key', 'value')
      await master.call('WAIT', 1, 10_000)
    })
    afterAll(() => servers.disposeAsync())

    test('a write is acknowledged when enough replicas have it', async () => {
      using opened = open(master, { replicas: 1 })
      await opened.begin()
      expect(await opened.freeze('one')).toBe(1)
      expect(await replica.call('GET', MANIFEST)).toBe('one')
      using _ = paused(replica)
      await expect(opened.freeze('two')).rejects.toMatchObject({
        name: 'NotAcknowledged',
        message: 'Cannot acknowledge a write: 0 of 1 replicas have it after 300 ms',
      })
      expect(await opened.client.get(MANIFEST)).toBe('two')
    })

    test('what is run again and writes nothing waits for the first run', async () => {
      using opened = open(master, { replicas: 1 })
      await opened.begin()
      await opened.freeze('one')
      using _ = paused(replica)
      await expect(opened.thaw()).rejects.toThrow('0 of 1')
      using other = open(master, { replicas: 1 })
      await expect(other.thaw()).rejects.toThrow('0 of 1')
    })

    test('what a connection that breaks in the wait leaves unknown may be run again', async () => {
      using opened = open(master, { replicas: 1, timeoutMs: 20_000 })
      await opened.begin()
      await opened.freeze('one')
      using _ = paused(replica)
      const outcome = opened.freeze('two').catch((error: unknown) => error)
      await vi.waitFor(async () => {
        expect(await opened.client.client('LIST')).toMatch(/cmd=wait /)
      })
      await opened.client.call('client', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      expect(isPassing(await outcome)).toBe(true)
    })

    test('calls wait side by side, on a bounded count of connections', async () => {
      using opened = open(master, { replicas: 1 })
      await opened.begin()
      const call = () => opened.freeze('one')
      await Promise.all(Array.from({ length: 10 }, call))
      expect(opened.clients).toHaveLength(10)
      await Promise.all(Array.from({ length: 200 }, call))
      expect(opened.clients).toHaveLength(64)
    })

    test('scripts that the server has forgotten are sent again before the wait', async () => {
      using opened = open(master, { replicas: 1 })
      await opened.begin()
      for (const text of ['one', 'two', 'three', 'four', 'five', 'six']) {
        await opened.freeze(text)
        expect(await replica.call('GET', MANIFEST)).toBe(text)
        await opened.client.script('FLUSH')
      }
      using _ = paused(replica)
      await expect(opened.freeze('seven')).rejects.toThrow('0 of 1')
    })
  })
}

test.runIf(available('valkey', (await findRedis('valkey')) !== undefined))(
  'a write is acknowledged when the log is synced, and not where there is none',
  async () => {
    await using logged = (await startRedis({
      program: 'valkey',
      appendonly: 'everysec',
    })) as RedisServer
    using opened = open(logged, { waitAof: true, timeoutMs: 5_000 })
    await opened.begin()
    expect(await opened.freeze('one')).toBe(1)
    await using unlogged = (await startRedis({
      program: 'valkey',
      appendonly: 'no',
    })) as RedisServer
    using other = open(unlogged, { waitAof: true })
    await other.begin()
    await expect(other.freeze('one')).rejects.toMatchObject({ name: 'NotAcknowledged' })
  },
)

describe.runIf(isHere)('in a cluster', () => {
  const servers = new AsyncDisposableStack()
  let cluster: RedisCluster
  let slot: number

  beforeAll(async () => {
    cluster = servers.use((await startRedisCluster({ masters: 2, replicas: 1 })) as RedisCluster)
    slot = await cluster.slotOf(MANIFEST)
  })
  afterAll(() => servers.disposeAsync())

  test('the node of the write is asked for its replicas', async () => {
    using opened = open(cluster, { replicas: 1, timeoutMs: 10_000 })
    await opened.begin()
    for (let count = 0; count < 8; count += 1) await opened.freeze(`text ${count}`)
    const owner = await cluster.ownerOf(slot)
    const waitCounts = await Promise.all(cluster.nodes.map((node) => callsOf(node, 'wait')))
    const ownCount = waitCounts[cluster.nodes.indexOf(owner)]
    expect(ownCount).toBeGreaterThanOrEqual(8)
    expect(waitCounts).toEqual(cluster.nodes.map((node) => (node === owner ? ownCount : 0)))
  })

  test('writes go on while their slot moves to and fro', async () => {
    using opened = open(cluster, { replicas: 1, timeoutMs: 10_000 })
    await opened.begin()
    const from = await cluster.ownerOf(slot)
    const to = cluster.nodes.slice(0, 2).find((node) => node !== from) as RedisServer
    const paths = [
      [from, to],
      [to, from],
    ] as const
    for (const [one, other] of paths) {
      const writing = (async () => {
        for (let count = 0; count < 50; count += 1) expect(await opened.freeze('text')).toBe(1)
      })()
      await cluster.moveSlot(slot, one, other, () => systemClock.sleep(30))
      await writing
      expect(await opened.freeze('moved')).toBe(1)
    }
  })
})

async function callsOf(node: RedisServer, command: string): Promise<number> {
  const statistics = String(await node.call('INFO', 'commandstats'))
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(statistics)?.[1] ?? 0)
}
