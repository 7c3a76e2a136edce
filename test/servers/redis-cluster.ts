/** A Redis Cluster of processes on this machine, whose slots can be moved. */
import { freePort } from './process.ts'
import { findRedis, OwnRedis } from './redis.ts'
import type { RedisOptions, RedisServer } from './redis.ts'
import { untilInStep } from './redis-replication.ts'
import { until } from './until.ts'

export interface RedisClusterOptions extends Omit<RedisOptions, 'port' | 'folder'> {
  readonly masters: number
  /** Of each master. */
  readonly replicas: 0 | 1
}

export interface RedisCluster extends AsyncDisposable {
  /** `redis+cluster://…`, without a prefix. */
  readonly url: string
  /** Masters first, then the first master's replica, and so on. */
  readonly nodes: readonly RedisServer[]
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
  /** The slot of a key, by its hash tag where it has one. */
  slotOf(key: string): Promise<number>
  /** The node that a slot belongs to now. */
  ownerOf(slot: number): Promise<RedisServer>
  /**
   * Moves a slot with its keys, one after the other, while others use them. `betweenKeys` is waited for
   * after the slot has begun to move and after each key.
   */
  moveSlot(
    slot: number,
    from: RedisServer,
    to: RedisServer,
    betweenKeys?: () => Promise<void>,
  ): Promise<void>
}

const SLOT_COUNT = 16_384
const NODE_TIMEOUT_MS = 1_000
const FORMED_MS_MAX = 30_000
const MIGRATE_TIMEOUT_MS = 5_000

/** Undefined where no Redis of version 7 or later can be had. */
export async function startRedisCluster({
  masters,
  replicas,
  ...options
}: RedisClusterOptions): Promise<RedisCluster | undefined> {
  const program = await findRedis(options.program)
  if (program === undefined) return undefined
  await using resources = new AsyncDisposableStack()
  const nodes: OwnRedis[] = []
  for (let index = 0; index < masters * (1 + replicas); index += 1) {
    nodes.push(resources.use(await startNode(program, options)))
  }
  await form(nodes, masters)
  return new LocalCluster(nodes, resources.move())
}

/** The port between nodes is by default 10,000 above the other, which may be none. */
async function startNode(program: string, options: RedisOptions): Promise<OwnRedis> {
  const config = {
    'cluster-enabled': 'yes',
    'cluster-port': String(await freePort()),
    'cluster-node-timeout': String(NODE_TIMEOUT_MS),
    ...options.config,
  }
  return await OwnRedis.start(program, { ...options, config })
}

async function form(nodes: readonly OwnRedis[], masterCount: number): Promise<void> {
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('Cannot form a cluster: it has no nodes')
  for (const [index, node] of nodes.entries()) {
    // Each with an epoch of its own, so that they needn't settle that first.
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    if (index >= masterCount) continue
    const firstSlot = Math.floor((index * SLOT_COUNT) / masterCount)
    const lastSlot = Math.floor(((index + 1) * SLOT_COUNT) / masterCount) - 1
    await node.call('CLUSTER', 'ADDSLOTSRANGE', firstSlot, lastSlot)
  }
  for (const node of others) {
    const [, busPort = ''] = (await node.call('CONFIG', 'GET', 'cluster-port')) as string[]
    await first.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort)
  }
  await until('the nodes know each other', FORMED_MS_MAX, () =>
    allSay(nodes, 'cluster_state', 'ok'),
  )
  await until('the nodes know each other', FORMED_MS_MAX, () =>
    allSay(nodes, 'cluster_known_nodes', String(nodes.length)),
  )
  for (const [index, replica] of nodes.slice(masterCount).entries()) {
    const master = nodes[index % masterCount]
    await replica.call('CLUSTER', 'REPLICATE', String(await master?.call('CLUSTER', 'MYID')))
    await untilInStep(replica)
  }
}

async function allSay(
  nodes: readonly OwnRedis[],
  field: string,
  value: string,
): Promise<true | undefined> {
  for (const node of nodes) {
    const info = String(await node.call('CLUSTER', 'INFO'))
    if (!info.includes(`${field}:${value}\r\n`)) return undefined
  }
  return true
}

class LocalCluster implements RedisCluster {
  readonly nodes: readonly OwnRedis[]
  readonly #resources: AsyncDisposableStack

  constructor(nodes: readonly OwnRedis[], resources: AsyncDisposableStack) {
    this.nodes = nodes
    this.#resources = resources
  }

  get addresses(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  }

  get url(): string {
    const addresses = this.addresses.map(({ host, port }) => `${host}:${port}`)
    return `redis+cluster://${addresses.join(',')}`
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.#running().call('CLUSTER', 'KEYSLOT', key))
  }

  async ownerOf(slot: number): Promise<OwnRedis> {
    type Range = [first: number, last: number, master: [host: string, port: number]]
    const ranges = (await this.#running().call('CLUSTER', 'SLOTS')) as Range[]
    const range = ranges.find(([first, last]) => first <= slot && slot <= last)
    const owner = this.nodes.find(({ port }) => port === range?.[2][1])
    if (owner === undefined) throw new Error(`Cannot find the owner of slot ${slot}`)
    return owner
  }

  async moveSlot(
    slot: number,
    from: RedisServer,
    to: RedisServer,
    betweenKeys: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const [fromId, toId] = [await idOf(from), await idOf(to)]
    await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    for (;;) {
      await betweenKeys()
      const [key] = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
      if (key === undefined) break
      await from.call('MIGRATE', '127.0.0.1', to.port, key, 0, MIGRATE_TIMEOUT_MS)
    }
    // The one that gets it first: if it were last, nobody would own the slot for a moment.
    await to.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    await from.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }

  #running(): OwnRedis {
    const node = this.nodes.find(({ pid }) => pid !== undefined)
    if (node === undefined) throw new Error('Cannot ask the cluster: no node runs')
    return node
  }
}

async function idOf(node: RedisServer): Promise<string> {
  return String(await node.call('CLUSTER', 'MYID'))
}
