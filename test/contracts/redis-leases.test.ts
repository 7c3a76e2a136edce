import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Keys } from '../../src/redis/keys.ts'
import { RedisPartitionLeases } from '../../src/redis/partition-leases.ts'
import { Scripts } from '../../src/redis/scripts.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { startRedis } from '../servers/redis.ts'
import type { RedisServer } from '../servers/redis.ts'
import { runningTwice } from './between-scripts.ts'
import { ManualClock } from './manual-clock.ts'
import { partitionLeasesContract, renewed } from './partition-leases.ts'

const STREAM = 'stream'

let server: RedisServer

beforeAll(async () => {
  server = (await startRedis()) as RedisServer
})
afterAll(() => server[Symbol.asyncDispose]())

partitionLeasesContract('redis', () => {
  const nodes = new Nodes()
  return Promise.resolve({
    leases: nodes.add(),
    [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
  })
})

test('a node that comes gets its share as soon as the others have asked', async () => {
  await using nodes = new Nodes()
  const [one, other] = [nodes.add(), nodes.add()]
  const partitions = ['a', 'b', 'c', 'd', 'e']
  expect(await renewed(one, partitions)).toEqual(partitions)
  expect(await renewed(other, partitions)).toEqual([])
  expect(await renewed(one, partitions)).toEqual(['a', 'b', 'c'])
  expect(await renewed(other, partitions)).toEqual(['d', 'e'])
  expect(await renewed(one, partitions)).toEqual(['a', 'b', 'c'])
})

test('no node is left without while another has two more', async () => {
  await using nodes = new Nodes()
  const [one, other, last] = [nodes.add(), nodes.add(), nodes.add()]
  const partitions = ['a', 'b', 'c', 'd']
  for (const node of [one, other, one, other]) await renewed(node, partitions)
  expect(await renewed(last, partitions)).toEqual([])
  expect(await renewed(one, partitions)).toEqual(['a'])
  expect(await renewed(other, partitions)).toEqual(['c', 'd'])
  expect(await renewed(last, partitions)).toEqual(['b'])
  expect(await renewed(one, partitions)).toEqual(['a'])
})

test('what a node does not know of is held by those who do, beyond their share', async () => {
  await using nodes = new Nodes()
  const [behind, ahead] = [nodes.add(), nodes.add()]
  const [known, all] = [['x'], ['x', 'a', 'b', 'c']]
  expect(await renewed(behind, known)).toEqual(known)
  expect(await renewed(ahead, all)).toEqual(['a', 'b', 'c'])
  expect(await renewed(behind, known)).toEqual(known)
  expect(await renewed(ahead, all)).toEqual(['a', 'b', 'c'])
})

test('what a node held is free at once when it lets go, and after three renewals when it dies', async () => {
  await using nodes = new Nodes()
  const [leaving, dying, staying] = [nodes.add(), nodes.add(), nodes.add()]
  const partitions = ['a', 'b', 'c']
  for (const node of [leaving, dying, staying]) await renewed(node, partitions)
  expect(await renewed(leaving, partitions)).toEqual(['a'])
  expect(await renewed(dying, partitions)).toEqual(['b'])
  expect(await renewed(staying, partitions)).toEqual(['c'])
  await leaving.release(STREAM)
  expect(await renewed(staying, partitions)).toEqual(['a', 'c'])
  nodes.clock.advance(3 * staying.renewMs - 1)
  expect(await renewed(staying, partitions)).toEqual(['a', 'c'])
  nodes.clock.advance(1)
  expect(await renewed(staying, partitions)).toEqual(partitions)
  // It was dead to the others only.
  expect(await renewed(dying, partitions)).toEqual([])
  expect(await renewed(staying, partitions)).toEqual(['a', 'b'])
  expect(await renewed(dying, partitions)).toEqual(['c'])
})

test('an answer that is lost changes nothing', async () => {
  await using nodes = new Nodes(runningTwice())
  const [one, other] = [nodes.add(), nodes.add()]
  expect(await renewed(one, ['a', 'b'])).toEqual(['a', 'b'])
  expect(await renewed(other, ['a', 'b'])).toEqual([])
  expect(await renewed(one, ['a', 'b'])).toEqual(['a'])
  expect(await renewed(other, ['a', 'b'])).toEqual(['b'])
  await one.release(STREAM)
  expect(await renewed(other, ['a', 'b'])).toEqual(['a', 'b'])
})

test('nothing is left of a stream that nobody reads', async () => {
  await using nodes = new Nodes()
  const node = nodes.add()
  await node.renew(STREAM, ['a', 'b'])
  for (const thing of ['readers', 'leases'] as const) {
    const ttlMs = await nodes.client.pttl(nodes.keys.lane(STREAM).of(thing))
    expect(ttlMs).toBeGreaterThan(0)
    expect(ttlMs).toBeLessThanOrEqual(3 * node.renewMs)
  }
  await node.release(STREAM)
  expect(await nodes.client.keys(`${nodes.keys.prefix}:*`)).toEqual([])
})

test('whatever comes, no partition has two holders, and all are held when it is quiet', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  await using nodes = new Nodes()
  const all = Array.from({ length: 4 }, () => nodes.add())
  const held = new Map<RedisPartitionLeases, { names: readonly string[]; atMs: number }>()
  let partitions = ['p0']
  const renew = async (node: RedisPartitionLeases) => {
    const names = await node.renew(STREAM, partitions)
    held.set(node, { names, atMs: nodes.clock.monotonicMs() })
    for (const name of names) expect(partitions).toContain(name)
  }
  const live = () =>
    [...held].filter(([node, { atMs }]) => nodes.clock.monotonicMs() - atMs < 3 * node.renewMs)
  const holdings = () => live().flatMap(([, { names }]) => names)
  for (let step = 0; step < 300; step += 1) {
    const node = all[random.integer(0, all.length - 1)] as RedisPartitionLeases
    const chance = random.integer(0, 9)
    if (chance === 0) {
      await node.release(STREAM)
      held.delete(node)
    } else if (chance === 1) {
      partitions = Array.from({ length: random.integer(0, 12) }, (_, index) => `p${index}`)
    } else if (chance === 2) {
      nodes.clock.advance(random.integer(0, 4 * node.renewMs))
    } else {
      await renew(node)
    }
    const found = holdings()
    expect(new Set(found).size, `seed ${seed}, step ${step}`).toBe(found.length)
    if (step % 50 !== 0 || live().length === 0) continue
    for (const _round of [1, 2, 3]) for (const [reader] of live()) await renew(reader)
    expect(holdings().toSorted(), `seed ${seed}, step ${step}`).toEqual(partitions.toSorted())
    const counts = live().map(([, { names }]) => names.length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  }
})

/** Processes that read one source. */
class Nodes implements AsyncDisposable {
  readonly clock = new ManualClock()
  readonly keys = new Keys(`test-${randomBytes(8).toString('hex')}`)
  readonly client = new Redis(server.url)
  readonly #between: ReturnType<typeof runningTwice>

  constructor(between: ReturnType<typeof runningTwice> = (scripts) => scripts) {
    this.#between = between
  }

  add(): RedisPartitionLeases {
    const scripts = this.#between(new Scripts(this.client))
    return new RedisPartitionLeases({ scripts, keys: this.keys, clock: this.clock })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect()
    await Promise.resolve()
  }
}
